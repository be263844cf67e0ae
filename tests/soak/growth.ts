/**
 * Whether what a container uses stays flat.
 *
 * @module
 */

import type { SoakResult } from "./soak_run.ts";

/** How much each figure may grow. */
const HEAP_GROWTH_MB = 2;
const DESCRIPTOR_GROWTH = 8;
const RESIDENT_GROWTH_MB = 64;

/** The medians of the first, second and last third. */
export function thirdMedians(values: readonly number[]): number[] {
  const length = Math.ceil(values.length / 3);
  return [0, 1, 2].map((i) => {
    const third = values.slice(i * length, (i + 1) * length)
      .toSorted((a, b) => a - b);
    return third[Math.floor(third.length / 2)] ?? NaN;
  });
}

/** What grows from the first third of a container's life to the last. */
export function growthProblems(
  { heapMb, samples }: Pick<SoakResult, "heapMb" | "samples">,
): string[] {
  const figures: [what: string, values: readonly number[], most: number][] = [
    ["the heap, in MB", heapMb, HEAP_GROWTH_MB],
    [
      "descriptors",
      samples.map(({ descriptors }) => descriptors),
      DESCRIPTOR_GROWTH,
    ],
    [
      "resident memory, in MB",
      samples.map(({ residentMb }) => residentMb),
      RESIDENT_GROWTH_MB,
    ],
  ];
  return figures.flatMap(([what, values, most]) => {
    const [first = 0, , last = 0] = thirdMedians(values);
    return last - first > most
      ? [`grows: ${what}, from ${first.toFixed(1)} to ${last.toFixed(1)}`]
      : [];
  });
}
