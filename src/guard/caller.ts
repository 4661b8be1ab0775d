/** A tenant as one of its keys may use it. */

import { fail } from '../errors.ts';
import type { Pool } from '../pool/api.ts';
import type { Caller, Scope } from './api.ts';
import { defaultTenant } from './quotas.ts';
import type { Tenant } from './tenant.ts';

/** As no other tenant ever is called. */
export function identityOf({ name, createdAtMs }: Pick<Tenant, 'name' | 'createdAtMs'>): string {
  return name === defaultTenant ? name : `${name}@${createdAtMs}`;
}

export class KeyCaller implements Caller {
  readonly #tenant: Tenant;
  readonly #scopes: readonly Scope[];
  #revoked = false;

  constructor(tenant: Tenant, scopes: readonly Scope[]) {
    this.#tenant = tenant;
    this.#scopes = scopes;
  }

  get tenant(): string {
    return this.#tenant.name;
  }

  get tenantIdentity(): string {
    return identityOf(this.#tenant);
  }

  get isValid(): boolean {
    return !this.#revoked && this.#tenant.isHere;
  }

  revoke(): void {
    this.#revoked = true;
  }

  can(scope: Scope): boolean {
    return this.#scopes.includes(scope);
  }

  demand(scope: Scope): void {
    if (!this.can(scope)) fail('forbidden', `The key has no scope ${scope}.`);
  }

  get pool(): Pool | undefined {
    return this.#tenant.pool;
  }

  open(): Promise<Pool> {
    return this.#tenant.open();
  }

  begin(inFlightBytes: number): void {
    if (!this.isValid) fail('unauthorized', 'The key was revoked.');
    this.#tenant.usage.begin(inFlightBytes);
  }

  grow(inFlightBytes: number): void {
    this.#tenant.usage.grow(inFlightBytes);
  }

  end(inFlightBytes: number): void {
    this.#tenant.usage.end(inFlightBytes);
  }
}
