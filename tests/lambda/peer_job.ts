/**
 * The job that both zsqs and Powertools run.
 *
 * @module
 */

/** Runs jobs, and notes which. */
export class JobCalls {
  /** The ids of the messages, in the order of their jobs' ends. */
  readonly ids: string[] = [];

  /** A job that does as it is told. */
  async run(id: string, what: string): Promise<void> {
    if (what === "waits") await new Promise((resolve) => setTimeout(resolve));
    this.ids.push(id);
    if (what === "fails") throw new Error("told to fail");
  }
}
