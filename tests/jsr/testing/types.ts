/**
 * A stand-in for `@std/testing/types`, for networks that do not reach jsr.io:
 * written for this project, and no more than it uses.
 *
 * @module
 */

/** Fails to compile unless the type argument is the type of the argument. */
export function assertType<Answer extends boolean>(_expected: Answer): void {}

/**
 * Whether two types are the same: only then does the one function's condition
 * hold where the other's does.
 */
export type IsExact<A, B> = (<T>() => T extends A ? true : false) extends
  (<T>() => T extends B ? true : false) ? true : false;
