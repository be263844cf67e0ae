/**
 * The records of an event as the connection of an engine. A receive hands them
 * out. Records that the engine deletes do not return to Lambda.
 *
 * @module
 */

import type { EngineConnection } from "../engine/context.ts";
import type { EntryResult } from "../sqs/connection.ts";
import type { SourceRecord } from "./event.ts";

const SETTLED: EntryResult = { ok: true, value: undefined };

/** The records of one queue in an event. */
export class RecordSource implements EngineConnection {
  readonly #records: readonly SourceRecord[];
  readonly #byHandle: ReadonlyMap<string, SourceRecord>;
  readonly #byId: ReadonlyMap<string, readonly SourceRecord[]>;
  readonly #onDelay: (record: SourceRecord, seconds: number) => void;
  readonly #handedOut = new Set<SourceRecord>();
  readonly #done = new Set<SourceRecord>();

  /** @param onDelay Called for each record that must stay hidden for a while. */
  constructor(
    records: readonly SourceRecord[],
    onDelay: (record: SourceRecord, seconds: number) => void,
  ) {
    this.#records = records;
    this.#onDelay = onDelay;
    this.#byHandle = new Map(
      records.map((record) => [record.message.receiptHandle, record]),
    );
    this.#byId = Map.groupBy(records, ({ message }) => message.messageId);
  }

  /** The records that are not done, in their order. */
  get left(): SourceRecord[] {
    return this.#records.filter((record) => !this.#done.has(record));
  }

  /**
   * All records that are not handed out yet: the engine bounds how many run. Of
   * several with one id, the next is handed out once the one before is done.
   */
  receive(): ReturnType<EngineConnection["receive"]> {
    const left = this.left;
    const busy = new Set(
      left.filter((record) => this.#handedOut.has(record))
        .map(({ message }) => message.messageId),
    );
    const next = left.filter(({ message: { messageId } }) =>
      !busy.has(messageId) && busy.add(messageId)
    );
    for (const record of next) this.#handedOut.add(record);
    return Promise.resolve(next.map(({ message }) => message));
  }

  /** Notes records that are done, and their copies: of the same id and body. */
  delete(
    ...[, handles]: Parameters<EngineConnection["delete"]>
  ): Promise<EntryResult[]> {
    for (const handle of handles) {
      const { message } = this.#byHandle.get(handle)!;
      for (const record of this.#byId.get(message.messageId)!) {
        if (record.message.body === message.body) this.#done.add(record);
      }
    }
    return Promise.resolve(handles.map(() => SETTLED));
  }

  /** Notes the delays of records: they are made before the function returns. */
  changeVisibility(
    ...[, changes]: Parameters<EngineConnection["changeVisibility"]>
  ): Promise<EntryResult[]> {
    for (const { receiptHandle, visibilityTimeoutSeconds } of changes) {
      const record = this.#byHandle.get(receiptHandle)!;
      this.#onDelay(record, visibilityTimeoutSeconds);
    }
    return Promise.resolve(changes.map(() => SETTLED));
  }
}
