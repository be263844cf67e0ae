/**
 * What a soak says of a container's memory and descriptors.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { growthProblems } from "./growth.ts";

const FLAT = { residentMb: 80, descriptors: 30 };

Deno.test("growthProblems() is content with figures that stay, or fall", () => {
  const samples = [FLAT, FLAT, { residentMb: 60, descriptors: 20 }];
  assertEquals(growthProblems({ heapMb: [10, 11, 12], samples }), []);
  assertEquals(growthProblems({ heapMb: [], samples: [] }), []);
});

Deno.test("growthProblems() names each figure that grows", () => {
  assertEquals(
    growthProblems({
      heapMb: [10, 11, 12.5],
      samples: [FLAT, FLAT, { residentMb: 150, descriptors: 39 }],
    }),
    [
      "grows: the heap, in MB, from 10.0 to 12.5",
      "grows: descriptors, from 30.0 to 39.0",
      "grows: resident memory, in MB, from 80.0 to 150.0",
    ],
  );
});
