/**
 * A worker to deploy.
 *
 * @module
 */

/** Makes the worker. */
export default function adder(): (a: number, b: number) => void {
  return (a, b) => console.log(a + b);
}
