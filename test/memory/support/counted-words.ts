/**
 * A stand-in for src/memory/words.ts that throws at the k-th access, as if the process had died there. It is put in place with
 * vi.mock, whose factory must import it by itself.
 */

/** Thrown in place of an access. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

let accesses = 0;
let crashAt = Infinity;

/**
 * Runs `step` and throws instead of its k-th access (from 1) to pool memory.
 * @returns true when the step came that far, false when it ended before
 */
export function crashesAt(k: number, step: () => void): boolean {
  accesses = 0;
  crashAt = k;
  try {
    step();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  } finally {
    crashAt = Infinity;
  }
}

function counted<T>(value: T): T {
  if (typeof value !== 'function') return value;
  const call = (...values: unknown[]): unknown => {
    accesses += 1;
    if (accesses >= crashAt) throw new Crash(`access ${accesses}`);
    return (value as unknown as (...given: unknown[]) => unknown)(...values);
  };
  return call as unknown as T;
}

/** The module with every function counted. After a crash, every further access crashes too: the dead do nothing. */
export function countedWords<T extends object>(words: T): T {
  return Object.fromEntries(
    Object.entries(words).map(([name, value]) => [name, counted(value)]),
  ) as T;
}
