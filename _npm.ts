/**
 * The modules that need packages of npm, each loaded when it is asked for.
 *
 * They are named in one module, and the packages beside them: Deno looks for
 * npm packages once for each module that leads to some, which took a tenth of
 * the time to the first job.
 *
 * @module
 */

/** Loads what speaks to SQS, with the AWS SDK. */
export function loadSqs(): Promise<typeof import("./_sqs.ts")> {
  return import("./_sqs.ts");
}

/** Loads what reports to OpenTelemetry. */
export async function loadOpenTelemetry(): Promise<
  typeof import("./_opentelemetry.ts")
> {
  await import("@opentelemetry/api");
  return await import("./_opentelemetry.ts");
}
