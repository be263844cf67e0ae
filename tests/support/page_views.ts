/**
 * Views of the pages of operators: queues, failed jobs, actions, containers.
 *
 * @module
 */

import type {
  ActionState,
  ActionView,
  ContainerRow,
  ContainerStats,
  FailedListView,
  FailedRow,
  Frame,
  HolderRow,
  LookView,
  Point,
  QueueRow,
  QueueView,
} from "../../src/web/pages/views.ts";

/** The time on all pages. */
export const NOW_MS = Date.UTC(2026, 10, 28, 14, 3, 13);

export const FRAME: Frame = {
  nowMs: NOW_MS,
  path: "/",
  region: "eu-west-1",
  endpoint: "http://127.0.0.1:4566",
  isReadOnly: false,
  hidesArguments: false,
  token: "form-token",
  notice: { kind: "ok", text: "Job sent. Message ID 7f3a" },
  trouble: { code: "ThrottlingException", sinceMs: NOW_MS - 60_000 },
  countsAtMs: NOW_MS - 3_000,
  isLive: true,
  isSignedIn: true,
};

function link(name: string, count: number | undefined) {
  return { key: name, name, count, updatedMs: NOW_MS, error: undefined };
}

export function history(length: number, isKnown: boolean): Point[] {
  return Array.from({ length }, (_, i) => ({
    atMs: NOW_MS - (length - i) * 10_000,
    visible: i % 50 === 49 ? undefined : (i * 7) % 30,
    inFlight: 4,
    completed: isKnown ? i % 6 : undefined,
    arrived: isKnown ? i % 7 : undefined,
  }));
}

/** A queue that nobody consumes. */
export const ADDER: QueueRow = {
  key: "adder",
  name: "adder",
  region: "eu-west-1",
  updatedMs: NOW_MS - 3_000,
  error: undefined,
  visible: 12,
  inFlight: 0,
  delayed: 3,
  failures: link("adder-failed", 40),
  deadLetters: link("adder-dead", undefined),
  noConsumer: {
    visible: 12,
    sinceMs: NOW_MS - 200_000,
    paused: undefined,
    file: "adder.ini",
  },
  rates: { kind: "net", changePerMinute: -2.4 },
  lastHour: history(360, false),
};

export const TOTALS: QueueRow = {
  ...ADDER,
  key: "totals",
  name: "totals",
  visible: 12_345,
  failures: undefined,
  deadLetters: undefined,
  noConsumer: undefined,
  rates: { kind: "known", arrivalsPerMinute: 1233.4, completionsPerMinute: 9 },
  lastHour: history(30, true),
};

export const PAUSED: QueueRow = {
  ...TOTALS,
  key: "mail",
  name: "mail.fifo",
  visible: 1,
  noConsumer: {
    visible: 1,
    sinceMs: NOW_MS,
    paused: "mail.ini",
    file: "mail.ini",
  },
  rates: undefined,
  lastHour: [],
};

export const DENIED: QueueRow = {
  ...PAUSED,
  key: "billing",
  name: "billing",
  visible: undefined,
  error: "No access: sqs:GetQueueAttributes denied",
  noConsumer: undefined,
  updatedMs: undefined,
};

export const QUEUE: QueueView = {
  queue: ADDER,
  files: ["adder.ini"],
  fifo: false,
  visibilityTimeoutSeconds: 90,
  messageRetentionSeconds: 345_600,
  delaySeconds: 0,
  maximumMessageSize: 1_048_576,
  redrive: { deadLetterQueue: "adder-dead", maxReceiveCount: 5 },
  history: history(300, false),
  isHolder: false,
  form: {
    body: "job",
    arguments: "\n[1, 2",
    delay: "0",
    group: "",
    error: "Not sent: arguments must be a JSON array",
  },
};

export const HOLDER: HolderRow = {
  ...link("adder-failed", 40),
  kind: "failures",
  sources: ["adder"],
  lookedAtMs: NOW_MS - 60_000,
};

export const JOBS: readonly FailedRow[] = [
  {
    id: "7f3a1c52-0d4c-4b39-9d0e-3b1b8f3e9a10",
    error: 'TypeError: x must be a number: "three" is text',
    source: "adder",
    attempts: 3,
    failedAtMs: NOW_MS - 7_200_000,
    arguments: '[12345678901234567890,"three"]',
  },
  {
    id: "d1d7f0b1-9a1e-44a8-8a53-bd4b50aa66f2",
    error: undefined,
    source: undefined,
    attempts: undefined,
    failedAtMs: undefined,
    arguments: undefined,
  },
];

const LOOK: LookView = {
  id: "look-1",
  isRunning: false,
  startedMs: NOW_MS - 62_000,
  endedMs: NOW_MS - 60_000,
  error: undefined,
  isStopped: false,
  total: 40,
  isLimited: false,
  limit: 10_000,
  counted: 40,
  cut: 2,
  unreleased: 0,
  matching: 38,
  page: 2,
  pages: 3,
  rows: JOBS,
};

export function failedList(
  more: Partial<FailedListView>,
  look: Partial<LookView> | undefined,
): FailedListView {
  return {
    holder: HOLDER,
    fifo: true,
    filter: { text: "TypeError", id: "7f3a" },
    maxReceiveCount: 5,
    receivesLeft: 2,
    runningActionId: undefined,
    look: look && { ...LOOK, ...look },
    ...more,
  };
}

export function action(
  name: ActionView["action"],
  state: ActionState,
): ActionView {
  return {
    id: "action-1",
    action: name,
    holder: HOLDER,
    filter: { text: "TypeError", id: "" },
    count: 38,
    jobs: JOBS,
    state,
  };
}

export const STATS: ContainerStats = {
  version: "0.1.0",
  concurrency: 4,
  running: 3,
  jobsPerMinute: 120,
  p50Ms: 12,
  p99Ms: 1840,
  done: 48_211,
  failed: 3,
  leasesLost: 0,
};

export const CONTAINER: ContainerRow = {
  id: "c1",
  isOwn: true,
  name: "adder.ini",
  queue: "adder",
  state: "running",
  silentSinceMs: undefined,
  stats: STATS,
  jobs: [
    { id: "7f3a", startedAtMs: NOW_MS - 4_000, attempt: 1, arguments: "[1,2]" },
    { id: "7f3b", startedAtMs: NOW_MS, attempt: 2, arguments: undefined },
  ],
};

export const STATES: readonly ContainerRow["state"][] = [
  "running",
  "paused",
  "starting",
  "stopping",
  "silent",
  "no worker process",
  "receives failing",
];
