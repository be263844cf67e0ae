import { playFaults } from "../support/fault_rounds.ts";

Deno.test("containers of the double get over whatever fails, 500 seeds", async () => {
  await playFaults(1, 500);
});
