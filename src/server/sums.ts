/** Sums of what several count. */

type Counts = Readonly<Record<string, number>>;

/** The sum of each field that is a number; the rest is of the first. */
export function sumFields<T extends object>(all: readonly T[]): T {
  const [first] = all as readonly [T];
  const summed = new Map<string, unknown>();
  for (const [name, value] of Object.entries(first) as [keyof T & string, unknown][]) {
    const isNumber = typeof value === 'number';
    summed.set(name, isNumber ? all.reduce((sum, one) => sum + Number(one[name] ?? 0), 0) : value);
  }
  return Object.fromEntries(summed) as T;
}

export function sumCounts(all: readonly Counts[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
