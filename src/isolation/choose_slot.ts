/**
 * Which process takes a job: jobs that may have ended a process run alone.
 *
 * @module
 */

import type { Slot } from "./slot.ts";

/** What a job needs of a process. */
export interface Needs {
  /** Whether it may have ended a process: it shares none until that is known. */
  isSuspect: boolean;
  /**
   * Whether it needs a process that has run no other job: what an earlier job
   * left behind may have ended the last one.
   */
  needsNew: boolean;
}

export const NO_NEEDS: Readonly<Needs> = { isSuspect: false, needsNew: false };

/** The place of a process that takes a job, or `undefined` if none can. */
export function chooseSlot(
  slots: readonly Slot[],
  { needs, most, waiting }: {
    readonly needs: Readonly<Needs>;
    /** How many jobs a process may have. */
    readonly most: number;
    /** What the jobs need that wait for a process. */
    readonly waiting: readonly Readonly<Needs>[];
  },
): Slot | undefined {
  const [first, ...others] = slots
    .filter(({ isReady, isAlone }) => isReady && !isAlone)
    .sort(({ child: a }, { child: b }) =>
      a.size - b.size || a.givenJobs - b.givenJobs
    );
  if (needs.isSuspect) {
    const isFit = first?.child.size === 0 &&
      (!needs.needsNew || first.child.givenJobs === 0);
    return isFit ? first : undefined;
  }
  // A process must get empty for suspects, if none has one of them.
  const isKept =
    waiting.some(({ isSuspect, needsNew }) => isSuspect && !needsNew) &&
    !slots.some((slot) => slot.isReady && slot.isAlone);
  const slot = isKept ? others[0] : first;
  return slot !== undefined && slot.child.size < most ? slot : undefined;
}
