/** What a pool should hold, kept as naively as can be: maps of copies. */

import type { ElementType, KindName } from '../../src/pool/api.ts';

export interface ModelPart {
  bytes: Uint8Array;
  readonly elementType: ElementType;
  readonly kind: KindName;
  version: number;
  pinned: boolean;
  readonly sensitive: boolean;
  readonly tags: readonly string[];
  expiresAtMs: number | undefined;
}

export class Oracle {
  readonly #contexts = new Map<string, Map<string, ModelPart>>();
  /** Highest version ever given to a part, deleted ones too. */
  readonly #versions = new Map<string, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The part, unless there is none or its time is over: then it is removed. */
  get(id: string, part: string): ModelPart | undefined {
    const parts = this.#contexts.get(id);
    const found = parts?.get(part);
    if (found === undefined) return undefined;
    if (found.expiresAtMs === undefined || found.expiresAtMs > this.#nowMs()) return found;
    this.remove(id, part);
    return undefined;
  }

  /** Whatever is there, expired or not: removals are told of such parts too. */
  peek(id: string, part: string): ModelPart | undefined {
    return this.#contexts.get(id)?.get(part);
  }

  partsOf(id: string, part?: string): [name: string, part: ModelPart][] {
    const names = part === undefined ? [...(this.#contexts.get(id)?.keys() ?? [])] : [part];
    return names.flatMap((name) => {
      const found = this.get(id, name);
      return found === undefined ? [] : [[name, found] as [string, ModelPart]];
    });
  }

  /** @returns the highest version that the part ever had before */
  set(id: string, part: string, value: ModelPart): void {
    const parts = this.#contexts.get(id) ?? new Map<string, ModelPart>();
    this.#contexts.set(id, parts.set(part, value));
    this.#versions.set(keyOf(id, part), value.version);
  }

  lastVersion(id: string, part: string): number {
    return this.#versions.get(keyOf(id, part)) ?? 0;
  }

  remove(id: string, part: string): void {
    const parts = this.#contexts.get(id);
    parts?.delete(part);
    if (parts?.size === 0) this.#contexts.delete(id);
  }

  withTag(tag: string): [id: string, part: string][] {
    return this.all().flatMap(([id, name, part]) =>
      part.tags.includes(tag) ? [[id, name] as [string, string]] : [],
    );
  }

  /** Every part whose time is not over. */
  all(): [id: string, part: string, value: ModelPart][] {
    return this.ids().flatMap((id) =>
      this.partsOf(id).map(([name, part]) => [id, name, part] as [string, string, ModelPart]),
    );
  }

  /** Ids in the order of their UTF-8 bytes. */
  ids(): string[] {
    return [...this.#contexts.keys()]
      .filter((id) => this.partsOf(id).length > 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
}

function keyOf(id: string, part: string): string {
  return JSON.stringify([id, part]);
}
