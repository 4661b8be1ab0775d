/**
 * Hooks as the store calls them. A hook runs in the middle of a change, so while it does, the pool refuses to be called; and what
 * a hook throws must not cut the change short, so it is reported instead. Only the budget may refuse, and only before the change.
 */

import type { KindName } from '../alloc/kind.ts';
import type { Audit, AuditAction, Budget, Hooks, RemovalReason, TierSink } from './hooks.ts';

export class GuardedHooks {
  /** True while a hook runs. */
  running = false;
  readonly audit: Audit | undefined;
  readonly tierSink: TierSink | undefined;
  readonly #budget: Budget | undefined;

  constructor(hooks: Partial<Hooks>) {
    this.audit = hooks.audit;
    this.tierSink = hooks.tierSink;
    this.#budget = hooks.budget;
  }

  /** True where contexts are counted: only then it is worth looking whether a write makes one. */
  get countsContexts(): boolean {
    return this.#budget?.admitContext !== undefined;
  }

  // Written out six times: a closure would be an allocation in every put, with hooks or without.

  record(action: AuditAction, id: string, part: string, version: number): void {
    if (this.audit === undefined) return;
    const nested = this.#enter();
    try {
      this.audit.record(action, id, part, version);
    } catch (error) {
      report(error);
    } finally {
      this.running = nested;
    }
  }

  leaving(
    id: string,
    part: string,
    version: number,
    bytes: Uint8Array,
    reason: RemovalReason,
  ): void {
    if (this.tierSink === undefined) return;
    const nested = this.#enter();
    try {
      this.tierSink.leaving(id, part, version, bytes, reason);
    } catch (error) {
      report(error);
    } finally {
      this.running = nested;
    }
  }

  opened(sizeBytes: number): void {
    if (this.#budget?.opened === undefined) return;
    const nested = this.#enter();
    try {
      this.#budget.opened(sizeBytes);
    } catch (error) {
      report(error);
    } finally {
      this.running = nested;
    }
  }

  /** @throws budget_exceeded, or what else the budget throws */
  admitContext(contexts: number): void {
    if (this.#budget?.admitContext === undefined) return;
    const nested = this.#enter();
    try {
      this.#budget.admitContext(contexts);
    } finally {
      this.running = nested;
    }
  }

  /** @throws budget_exceeded, or what else the budget throws */
  reserve(kind: KindName, sizeBytes: number): void {
    if (this.#budget === undefined) return;
    const nested = this.#enter();
    try {
      this.#budget.reserve(kind, sizeBytes);
    } finally {
      this.running = nested;
    }
  }

  refund(kind: KindName, sizeBytes: number): void {
    if (this.#budget === undefined) return;
    const nested = this.#enter();
    try {
      this.#budget.refund(kind, sizeBytes);
    } catch (error) {
      report(error);
    } finally {
      this.running = nested;
    }
  }

  #enter(): boolean {
    const nested = this.running;
    this.running = true;
    return nested;
  }
}

function report(error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : typeof error;
  process.emitWarning('A hook of a pool threw.', { code: 'CENOTE_HOOK', detail });
}
