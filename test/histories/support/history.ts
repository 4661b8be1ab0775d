/** Histories: what clients asked of parts, what they were told, and when. */

/** Where an operation stands in time: nanoseconds of the machine's monotonic clock, which all processes share. */
export interface Span {
  readonly calledNs: number;
  /** Infinity: its process died before it was told. It may have happened at any time since, or never. */
  readonly returnedNs: number;
}

/** The bytes of a part are blocks, one for the put and one for each append since; each bears the number of its write. */
export type Blocks = readonly number[];

/** What was read of a part. */
export interface Seen {
  readonly version: number;
  /** undefined: only its version was asked for. */
  readonly blocks: Blocks | undefined;
}

/** `version`: what the client was told; undefined: nothing, its process died over it. */
export type Action =
  | { readonly name: 'put'; readonly block: number; readonly version: number | undefined }
  | { readonly name: 'append'; readonly block: number; readonly version: number | undefined }
  /** A put that names the version it replaces, 0 for none. `version` 'conflict': it was refused. */
  | {
      readonly name: 'putIf';
      readonly block: number;
      readonly ifVersion: number;
      readonly version: number | 'conflict' | undefined;
    }
  /** `removed`: how many parts went; undefined when the client was not told, or told of more than this part. */
  | { readonly name: 'delete'; readonly removed: number | undefined }
  | { readonly name: 'get'; readonly seen: Seen | undefined }
  /** The pool let the part go to make room. */
  | { readonly name: 'evict'; readonly version: number };

export interface Operation extends Span {
  readonly client: number;
  /** Name of the part, context and all. */
  readonly part: string;
  readonly action: Action;
}

/** Splits a history by part: it is linearisable when each of these is (Herlihy and Wing's locality). */
export function byPart(history: readonly Operation[]): Map<string, Operation[]> {
  const parts = new Map<string, Operation[]>();
  for (const operation of history) {
    const list = parts.get(operation.part);
    if (list === undefined) parts.set(operation.part, [operation]);
    else list.push(operation);
  }
  return parts;
}

/** Operations that another client's operation on the same part overlaps: where there are none, a history proves little. */
export function overlapping(history: readonly Operation[]): number {
  let count = 0;
  for (const operations of byPart(history).values()) {
    const sorted = operations.toSorted((a, b) => a.calledNs - b.calledNs);
    const found = new Set<Operation>();
    for (const [i, one] of sorted.entries()) {
      for (let j = i + 1; j < sorted.length; j++) {
        const other = sorted[j] as Operation;
        if (other.calledNs > one.returnedNs) break;
        if (other.client === one.client) continue;
        found.add(one);
        found.add(other);
      }
    }
    count += found.size;
  }
  return count;
}

/** One line on an operation, for messages. */
export function describeOperation({
  client,
  part,
  action,
  calledNs,
  returnedNs,
}: Operation): string {
  const { name, ...rest } = action;
  return `${name} ${part} by ${client} ${JSON.stringify(rest)} [${calledNs}, ${returnedNs}]`;
}
