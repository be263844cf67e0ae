/**
 * The configuration of the SDK's clients: server, region, certificates.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { lstatSync, readFileSync } from "node:fs";
import process from "node:process";
import { SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";
import { isNotCapable, messageOf, SqsError } from "../errors.ts";
import type { ConnectOptions } from "../sqs/connection.ts";

/** The region if nothing names another, as in zc.sqs. */
const DEFAULT_REGION = "us-east-1";

/** A client's configuration with a known region. */
export type ClientConfig =
  & Omit<SQSClientConfig, "region" | "endpoint">
  & {
    readonly region: string;
    readonly endpoint?: string;
  };

/**
 * Finds a client's configuration.
 *
 * @param options The region and endpoint.
 * @param origin The origin of the queue's URL: the server if neither the options
 * nor the environment name another.
 */
export async function clientConfig(
  options: ConnectOptions,
  origin: string | undefined,
): Promise<ClientConfig> {
  unsetEmpty();
  const endpoint = options.endpoint ||
    process.env.AWS_ENDPOINT_URL_SQS || process.env.AWS_ENDPOINT_URL;
  const config: Omit<ClientConfig, "region"> = {
    // Some servers answer with queue URLs whose host does not resolve.
    useQueueUrlAsEndpoint: false,
    ...(endpoint || origin ? { endpoint: (endpoint || origin)! } : {}),
    // The URL names the server: the SDK takes no other wish about it.
    ...(!endpoint && origin
      ? { useFipsEndpoint: false, useDualstackEndpoint: false }
      : {}),
    ...(options.local
      ? { credentials: { accessKeyId: "local", secretAccessKey: "local" } }
      : {}),
  };
  // The SDK prefers the environment to the profiles, too.
  const region = options.region || process.env.AWS_REGION ||
    await environmentRegion(config);
  return { ...config, region };
}

/** The variables whose empty value the SDK does not take for unset. */
const MISREAD = [
  "AWS_REGION",
  "AWS_DEFAULTS_MODE",
  "AWS_RETRY_MODE",
  "AWS_ROLE_SESSION_NAME",
  "AWS_EC2_METADATA_SERVICE_ENDPOINT",
  "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
];

/** Removes empty variables from the environment: they mean nothing. */
function unsetEmpty(): void {
  for (const name of MISREAD) {
    try {
      if (process.env[name] === "") delete process.env[name];
    } catch (error) {
      if (!isNotCapable(error)) throw error;
    }
  }
}

/** The region of the AWS environment and profile, as the SDK finds it. */
async function environmentRegion(config: SQSClientConfig): Promise<string> {
  const client = new SQSClient(config);
  try {
    return await client.config.region();
  } catch (error) {
    if (isNotCapable(error)) throw error;
    if (process.env.AWS_DEFAULT_REGION) return process.env.AWS_DEFAULT_REGION;
    // The SDK ignores a profile that it has no permission to read.
    const { profileFiles } = await import("./profile_files.ts");
    for (const file of profileFiles(process.env)) mustBeReadable(file);
    return DEFAULT_REGION;
  } finally {
    client.destroy();
  }
}

function mustBeReadable(file: string): void {
  try {
    lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (!isNotCapable(error)) return;
    throw new SqsError(
      `Cannot find the AWS region, as a profile that may name it is not readable: ${
        messageOf(error)
      }`,
      { code: "RegionDenied", senderFault: true, cause: error },
    );
  }
}

/** The certificates that `AWS_CA_BUNDLE` names; the SDK does not look there. */
export function caBundle(): Buffer | undefined {
  const file = process.env.AWS_CA_BUNDLE;
  if (!file) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SqsError(
      `Cannot read the certificates of AWS_CA_BUNDLE: ${messageOf(error)}`,
      { code: "CaBundleUnreadable", senderFault: true, cause: error },
    );
  }
}
