/**
 * Draws the state of the site as plain views.
 *
 * @module
 */

import { AWS_DOMAINS } from "../sqs/partitions.ts";
import type { Action } from "./actions.ts";
import { type Look, matching, MAX_MESSAGES, rowOf } from "./looks.ts";
import type {
  ActionView,
  FailedJobView,
  FailedListView,
  Filter,
  Frame,
  HolderLink,
  HolderRow,
  LookView,
  NoConsumer,
  Notice,
  QueueRow,
  QueueView,
  SendForm,
  Trouble,
} from "./pages/views.ts";
import type { WatchedQueue } from "./queues.ts";
import type { Site } from "./site.ts";

/** How many failed jobs a page of the list has. */
const PAGE = 100;

/** What an error does not hide: the row of the queue says it. */
const OWN_ERRORS = ["AccessDenied", "QueueDoesNotExist", "Error"];

interface FrameParts {
  readonly path: string;
  readonly notice?: Notice | undefined;
  readonly isLive?: boolean;
  /** Absent if nobody is signed in. */
  readonly token: string | undefined;
}

export function frameOf(
  { options, queues: { listed }, clock }: Site,
  { path, notice, isLive = false, token }: FrameParts,
): Frame {
  const isSignedIn = token !== undefined;
  const regions = new Set(listed.map(({ region }) => region));
  const [endpoint] = listed.flatMap((queue) => endpointOf(queue) ?? []);
  const times = listed.flatMap(({ updatedMs }) => updatedMs ?? []);
  return {
    ...{ path, notice, isLive, isSignedIn },
    nowMs: clock.now(),
    // Strangers learn nothing of the queues.
    region: isSignedIn ? [...regions].join(", ") : "",
    endpoint: isSignedIn ? endpoint : undefined,
    isReadOnly: options.isReadOnly,
    hidesArguments: options.hidesArguments,
    token: token ?? "",
    trouble: isSignedIn ? troubleOf(listed) : undefined,
    countsAtMs: isSignedIn && times.length > 0 ? Math.min(...times) : undefined,
  };
}

function endpointOf({ where, open }: WatchedQueue): string | undefined {
  if (where.endpoint !== undefined) return where.endpoint;
  const { hostname, origin } = URL.parse(open?.url ?? "") ?? {};
  const isAws = hostname === undefined ||
    AWS_DOMAINS.some((domain) => hostname.endsWith(`.${domain}`));
  return isAws ? undefined : origin;
}

function troubleOf(listed: readonly WatchedQueue[]): Trouble | undefined {
  const queue = listed.find(({ error }) =>
    error !== undefined && !OWN_ERRORS.includes(error.code)
  );
  return queue && { code: queue.error!.code, sinceMs: queue.updatedMs };
}

export function queueRow(site: Site, queue: WatchedQueue): QueueRow {
  const { key, ref, region, updatedMs, error, attributes, history } = queue;
  const { visible, inFlight, delayed } = attributes;
  return {
    ...{ key, name: ref.name, region, updatedMs },
    ...{ visible, inFlight, delayed },
    error: error?.text,
    failures: linkTo(queue.failures),
    deadLetters: linkTo(queue.deadLetters),
    noConsumer: noConsumerOf(site, queue),
    rates: history.rates,
    lastHour: history.lastHour(site.clock.now()),
  };
}

function noConsumerOf(
  { containers }: Site,
  queue: WatchedQueue,
): NoConsumer | undefined {
  const sinceMs = queue.history.unconsumedSinceMs;
  const consumer = containers.consumerOf(queue);
  if (sinceMs === undefined || consumer === "running") return undefined;
  return {
    sinceMs,
    visible: queue.attributes.visible ?? 0,
    paused: consumer?.paused,
    file: queue.files[0],
  };
}

function linkTo(holder: WatchedQueue | undefined): HolderLink | undefined {
  if (holder === undefined) return undefined;
  const { visible, inFlight, delayed } = holder.attributes;
  const known = [visible, inFlight, delayed].filter((each) =>
    each !== undefined
  );
  return {
    key: holder.key,
    name: holder.ref.name,
    updatedMs: holder.updatedMs,
    count: known.length === 0
      ? undefined
      : known.reduce((sum, each) => sum + each),
    error: holder.error?.text,
  };
}

export function queueView(
  site: Site,
  queue: WatchedQueue,
  form: Partial<SendForm> = {},
): QueueView {
  const { attributes } = queue;
  return {
    queue: queueRow(site, queue),
    files: queue.files,
    fifo: queue.ref.fifo,
    visibilityTimeoutSeconds: attributes.visibilityTimeoutSeconds,
    messageRetentionSeconds: attributes.messageRetentionSeconds,
    delaySeconds: attributes.delaySeconds,
    maximumMessageSize: attributes.maximumMessageSize,
    redrive: attributes.redrive,
    history: queue.history.whole(),
    isHolder: queue.holds !== undefined,
    form: {
      body: queue.writing.body,
      ...{ arguments: "", delay: "", group: "", error: undefined },
      ...form,
    },
  };
}

export function holderRow(site: Site, holder: WatchedQueue): HolderRow {
  return {
    ...linkTo(holder)!,
    kind: holder.holds ?? "failures",
    sources: [...holder.sources].map(({ ref }) => ref.name),
    lookedAtMs: site.lookAt(holder)?.endedMs,
  };
}

export function failedListView(
  site: Site,
  holder: WatchedQueue,
  { filter, page }: { readonly filter: Filter; readonly page: number },
): FailedListView {
  const look = site.lookAt(holder);
  return {
    holder: holderRow(site, holder),
    fifo: holder.ref.fifo,
    filter,
    maxReceiveCount: holder.attributes.redrive?.maxReceiveCount,
    receivesLeft: look && receivesLeft(holder, look),
    runningActionId: site.runningActionOf(holder)?.id,
    look: look && lookView(site, look, filter, page),
  };
}

function receivesLeft(holder: WatchedQueue, look: Look): number | undefined {
  const most = holder.attributes.redrive?.maxReceiveCount;
  if (most === undefined || look.found.size === 0) return undefined;
  let received = 0;
  for (const { receiveCount } of look.found.values()) {
    received = Math.max(received, receiveCount);
  }
  return Math.max(0, most - received);
}

function lookView(
  { options: { hidesArguments } }: Site,
  look: Look,
  filter: Filter,
  page: number,
): LookView {
  const jobs = matching(look, filter, hidesArguments);
  const pages = Math.max(1, Math.ceil(jobs.length / PAGE));
  const shown = Math.min(Math.max(1, page), pages);
  const { id, startedMs, endedMs, error, isStopped, counted } = look;
  const { cut, unreleased } = look;
  return {
    ...{ id, startedMs, endedMs, error, isStopped, counted, cut, unreleased },
    isRunning: endedMs === undefined,
    total: look.found.size,
    isLimited: look.found.size >= MAX_MESSAGES,
    limit: MAX_MESSAGES,
    matching: jobs.length,
    page: shown,
    pages,
    rows: jobs.slice((shown - 1) * PAGE, shown * PAGE)
      .map((job) => rowOf(job, hidesArguments)),
  };
}

/** A job of the last look, or `undefined` if that did not find it. */
export function failedJobView(
  site: Site,
  holder: WatchedQueue,
  id: string,
): FailedJobView | undefined {
  const { hidesArguments } = site.options;
  const look = site.lookAt(holder);
  const found = look?.found.get(id);
  if (look === undefined || found === undefined) return undefined;
  const { sourceId, sentAtMs, seenAtMs, groupId, receiveCount, stack } = found;
  const most = holder.attributes.redrive?.maxReceiveCount;
  return {
    ...{ sourceId, sentAtMs, seenAtMs, groupId, stack },
    holder: holderRow(site, holder),
    lookId: look.id,
    job: { ...rowOf(found, hidesArguments), error: found.error },
    body: hidesArguments ? undefined : found.body,
    attributes: hidesArguments ? [] : found.attributes,
    receivesLeft: most === undefined
      ? undefined
      : Math.max(0, most - receiveCount),
  };
}

export function actionView(site: Site, action: Action): ActionView {
  const { id, filter, count, jobs, state } = action;
  return {
    ...{ id, filter, count, jobs, state },
    action: action.action,
    holder: holderRow(site, action.holder),
  };
}
