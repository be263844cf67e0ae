/**
 * What pages show: plain data, already bounded and cut. Texts are as they were
 * received, and may be hostile: pages escape all of them.
 *
 * @module
 */

/** What every page has around its content. */
export interface Frame {
  readonly nowMs: number;
  /** The path of this page, without a query. */
  readonly path: string;
  /** The regions of the queues, joined by commas. */
  readonly region: string;
  /** The SQS server's URL, if it is not AWS's own. */
  readonly endpoint: string | undefined;
  readonly isReadOnly: boolean;
  readonly hidesArguments: boolean;
  /** The value of each form's hidden field `token`. */
  readonly token: string;
  /** What the last action did, once. */
  readonly notice: Notice | undefined;
  /** Why counts are old, if SQS did not answer the last time. */
  readonly trouble: Trouble | undefined;
  /** When the oldest of the shown counts was read. */
  readonly countsAtMs: number | undefined;
  /** Whether the page changes by itself while it is open. */
  readonly isLive: boolean;
  /** Whether somebody is signed in. */
  readonly isSignedIn: boolean;
}

export interface Notice {
  readonly kind: "ok" | "bad";
  readonly text: string;
}

/** SQS did not answer for at least one queue. */
export interface Trouble {
  /** SQS's code, such as `ThrottlingException`. */
  readonly code: string;
  /** When counts were read the last time. */
  readonly sinceMs: number | undefined;
}

/** Approximate numbers of messages; absent if SQS gives none. */
export interface Counts {
  readonly visible: number | undefined;
  readonly inFlight: number | undefined;
  readonly delayed: number | undefined;
}

/** A queue that keeps failed jobs, and how many. */
export interface HolderLink {
  /** Its key in addresses. */
  readonly key: string;
  readonly name: string;
  /** Its messages, also in flight and delayed; absent if unknown. */
  readonly count: number | undefined;
  readonly updatedMs: number | undefined;
  /** Why its messages are not counted now. */
  readonly error: string | undefined;
}

/** A point of a queue's history. */
export interface Point {
  readonly atMs: number;
  readonly visible: number | undefined;
  readonly inFlight: number | undefined;
  /** Jobs that known containers ended since the last point; absent: none known. */
  readonly completed: number | undefined;
  /** Jobs that arrived since the last point; absent: no known container. */
  readonly arrived: number | undefined;
}

/** What goes in and out of a queue. */
export type Rates =
  /** Counted by known containers. */
  | {
    readonly kind: "known";
    readonly arrivalsPerMinute: number;
    readonly completionsPerMinute: number;
  }
  /** No known container: the net change of the queue's messages. */
  | { readonly kind: "net"; readonly changePerMinute: number };

/** Messages wait, and nobody takes them. */
export interface NoConsumer {
  readonly visible: number;
  /** For how long this has been seen. */
  readonly sinceMs: number;
  /** A paused container of this queue, if one is known. */
  readonly paused: string | undefined;
  /** The ini file to run, if it is known. */
  readonly file: string | undefined;
}

/** A queue, as overview and queue page show it. */
export interface QueueRow extends Counts {
  /** Its key in addresses: safe in a path, as it is. */
  readonly key: string;
  readonly name: string;
  readonly region: string;
  readonly updatedMs: number | undefined;
  /** Why its counts are unknown or old, in one line. */
  readonly error: string | undefined;
  /** Where its container sends failed jobs, ... */
  readonly failures: HolderLink | undefined;
  /** ... and where SQS moves messages after too many receives. */
  readonly deadLetters: HolderLink | undefined;
  readonly noConsumer: NoConsumer | undefined;
  /** Absent until two updates were seen. */
  readonly rates: Rates | undefined;
  /** The last hour, the oldest first; at most 360 points. */
  readonly lastHour: readonly Point[];
}

export interface OverviewView {
  readonly queues: readonly QueueRow[];
}

/** One queue. */
export interface QueueView {
  readonly queue: QueueRow;
  /** The ini files whose containers run its jobs. */
  readonly files: readonly string[];
  readonly fifo: boolean;
  readonly visibilityTimeoutSeconds: number | undefined;
  /** For how long SQS keeps a message, ... */
  readonly messageRetentionSeconds: number | undefined;
  /** ... hides it after a send that names no delay, ... */
  readonly delaySeconds: number | undefined;
  /** ... and how many bytes it may have. */
  readonly maximumMessageSize: number | undefined;
  readonly redrive: {
    readonly deadLetterQueue: string;
    readonly maxReceiveCount: number;
  } | undefined;
  /** Since the page's server started; at most 720 points, the oldest first. */
  readonly history: readonly Point[];
  /** Whether it holds failed jobs of other queues: its key opens the list. */
  readonly isHolder: boolean;
  readonly form: SendForm;
}

/** The form that sends a job, with the typed texts. */
export interface SendForm {
  /** What the field `arguments` takes. */
  readonly body: "job" | "json" | "text";
  readonly arguments: string;
  /** In seconds; the field is absent for FIFO queues. */
  readonly delay: string;
  /** FIFO queues: the message group. */
  readonly group: string;
  readonly error: string | undefined;
}

/** A queue that holds failed jobs, in the list of all of them. */
export interface HolderRow extends HolderLink {
  readonly kind: HolderKind;
  /** The queues whose failed jobs it holds. */
  readonly sources: readonly string[];
  readonly lookedAtMs: number | undefined;
}

export type HolderKind = "failures" | "dead letters";

export interface HoldersView {
  readonly holders: readonly HolderRow[];
}

/** What is searched for: both empty, all jobs match. */
export interface Filter {
  readonly text: string;
  readonly id: string;
}

/** The failed jobs of a queue, as the last look found them. */
export interface FailedListView {
  readonly holder: HolderRow;
  readonly fifo: boolean;
  readonly filter: Filter;
  /**
   * If SQS moves its messages on after some receives: how many. Each look is a
   * receive.
   */
  readonly maxReceiveCount: number | undefined;
  /** The fewest receives that a job of the last look has left. */
  readonly receivesLeft: number | undefined;
  /** An action under way on this queue; a look meanwhile is refused. */
  readonly runningActionId: string | undefined;
  /** The last look; absent: nobody has looked, or that is long ago. */
  readonly look: LookView | undefined;
}

export interface LookView {
  /** The hidden field `look` of the form for actions. */
  readonly id: string;
  /** Whether it has ended; if not, it grows. */
  readonly isRunning: boolean;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** Why it ended early, if SQS failed. */
  readonly error: string | undefined;
  readonly isStopped: boolean;
  /** Jobs found. */
  readonly total: number;
  /** Whether there may be more: it stops at `limit`. */
  readonly isLimited: boolean;
  readonly limit: number;
  /** What SQS counted when it started. */
  readonly counted: number | undefined;
  /** Jobs with texts of which only the start is kept, and searched. */
  readonly cut: number;
  /** Messages that could not be released: hidden for at most two minutes. */
  readonly unreleased: number;
  /** Jobs that match the filter. */
  readonly matching: number;
  /** The page of the list, from 1. */
  readonly page: number;
  readonly pages: number;
  readonly rows: readonly FailedRow[];
}

export interface FailedRow {
  readonly id: string;
  /** `TypeError: x must be ...`, cut; absent for SQS's own dead letters. */
  readonly error: string | undefined;
  readonly source: string | undefined;
  readonly attempts: number | undefined;
  readonly failedAtMs: number | undefined;
  /** The body, on one line and cut; absent if arguments are hidden. */
  readonly arguments: string | undefined;
}

/** One failed job. */
export interface FailedJobView {
  readonly holder: HolderRow;
  /** The look that found it, for the form for actions. */
  readonly lookId: string;
  readonly job: FailedRow;
  /** Its id in the queue that it failed in. */
  readonly sourceId: string | undefined;
  readonly sentAtMs: number | undefined;
  readonly seenAtMs: number;
  readonly groupId: string | undefined;
  /** As received; absent if arguments are hidden. */
  readonly body: CutText | undefined;
  /** Absent if arguments are hidden. */
  readonly attributes: readonly (readonly [name: string, value: CutText])[];
  readonly stack: CutText | undefined;
  /** The fewest receives that it has left before SQS moves it on. */
  readonly receivesLeft: number | undefined;
}

/** A text that may be cut. */
export interface CutText {
  readonly text: string;
  /** The length of the whole text in characters, if it is cut. */
  readonly cutFrom: number | undefined;
}

/** Redrive or delete: asked for, under way, or over. */
export interface ActionView {
  readonly id: string;
  readonly action: "redrive" | "delete";
  readonly holder: HolderRow;
  readonly filter: Filter;
  /** Jobs that it works on. */
  readonly count: number;
  /** The first of them, at most 100. */
  readonly jobs: readonly FailedRow[];
  readonly state: ActionState;
}

export type ActionState =
  | {
    readonly kind: "asking";
    /** Where a redrive sends how many jobs. */
    readonly targets: readonly (readonly [queue: string, count: number])[];
    /** Jobs that name no source queue, or one of too many. */
    readonly sourceless: number;
    /** Queues to send these to, as key and name: the field `to`. */
    readonly choices: readonly (readonly [key: string, name: string])[];
  }
  | {
    readonly kind: "running";
    readonly done: number;
    readonly isStopping: boolean;
  }
  | {
    readonly kind: "over";
    readonly done: number;
    readonly isStopped: boolean;
    /** Jobs that it did not find, as another reader holds them or they are gone. */
    readonly missing: number;
    /** Why jobs stayed: reason and count; at most 10. */
    readonly problems: readonly (readonly [reason: string, count: number])[];
    /** What ended it early. */
    readonly error: string | undefined;
    /** Jobs that were sent but could not be deleted here: they are in both. */
    readonly undeleted: number;
  };

export interface ContainersView {
  readonly containers: readonly ContainerRow[];
  /** Whether the command line named or runs any. */
  readonly isConfigured: boolean;
}

/** A container of this process, or a remote one. */
export interface ContainerRow {
  /** Its id in addresses. */
  readonly id: string;
  /** Whether it is in this process, and can be paused. */
  readonly isOwn: boolean;
  /** Its ini file, or its address. */
  readonly name: string;
  readonly queue: string | undefined;
  readonly state:
    | "starting"
    | "running"
    | "paused"
    | "stopping"
    | "silent"
    /** No job gets done; the container's log has the reason. */
    | "no worker process"
    | "receives failing";
  /** Since when it does not answer, if it is `silent`. */
  readonly silentSinceMs: number | undefined;
  /** Absent if it has not answered yet. */
  readonly stats: ContainerStats | undefined;
  /** The running jobs of a container of this process, at most 100. */
  readonly jobs: readonly RunningJob[];
}

export interface ContainerStats {
  readonly version: string;
  readonly concurrency: number;
  readonly running: number;
  readonly jobsPerMinute: number;
  /** Of the last jobs, in milliseconds; absent before the first. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly done: number;
  readonly failed: number;
  readonly leasesLost: number;
}

export interface RunningJob {
  readonly id: string;
  readonly startedAtMs: number;
  readonly attempt: number;
  /** The body, on one line and cut at 1 kB; absent if arguments are hidden. */
  readonly arguments: string | undefined;
}

/** The question before a container is paused. */
export interface PauseView {
  readonly container: ContainerRow;
}

export interface LoginView {
  /** Why the last try let nobody in. */
  readonly problem: "wrong" | "too many" | undefined;
}

/** Why a request was refused. */
export interface ProblemView {
  readonly status: number;
  /** One line: the failure, its reason, the next step. */
  readonly text: string;
}
