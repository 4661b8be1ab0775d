/** Handlers of tenants and keys: for those with the scope `admin`. */

import { fail } from '../../errors.ts';
import { scopes, type Administration, type KeyInfo, type TenantStatus } from '../../guard/api.ts';
import { checkQuotas, checkScopes, quotaBounds, quotaNames } from '../../guard/quotas.ts';
import { readJson } from './body.ts';
import type { RoutedExchange } from './exchange.ts';
import { nameSchema, type ObjectSchema } from './schema.ts';
import { sendJson } from './send.ts';

export const quotasSchema: ObjectSchema = {
  type: 'object',
  properties: Object.fromEntries(
    quotaNames.map((name) => {
      const { min, max } = quotaBounds[name];
      return [name, { type: 'integer', minimum: min, maximum: max }];
    }),
  ),
  required: [],
  additionalProperties: false,
};

export const newKeySchema: ObjectSchema = {
  type: 'object',
  properties: {
    tenant: nameSchema,
    scopes: {
      type: 'array',
      items: { type: 'string', enum: scopes },
      minItems: 1,
      maxItems: scopes.length,
      description: 'What the key may be used for.',
    },
    label: { type: 'string', description: 'For people: at most 100 characters.' },
  },
  required: ['tenant', 'scopes'],
  additionalProperties: false,
};

export async function listTenants(exchange: RoutedExchange): Promise<void> {
  const { tenants } = await exchange.service.numbers();
  sendJson(exchange, 200, { tenants: tenants.map(tenantJson) });
}

export async function describeTenant(exchange: RoutedExchange): Promise<void> {
  const { id, service } = exchange;
  const { tenants } = await service.numbers();
  const tenant = tenants.find(({ name }) => name === id);
  if (tenant === undefined) fail('not_found', `There is no tenant ${JSON.stringify(id)}.`);
  sendJson(exchange, 200, tenantJson(tenant));
}

/** Quotas that are not named are none: the body is the whole of them. */
export async function putTenant(exchange: RoutedExchange): Promise<void> {
  const administration = administrationOf(exchange);
  const quotas = checkQuotas(await readJson(exchange, quotasSchema));
  const { created, tenant } = await administration.putTenant(exchange.id, quotas);
  sendJson(exchange, created ? 201 : 200, tenantJson(tenant));
}

export async function deleteTenant(exchange: RoutedExchange): Promise<void> {
  await administrationOf(exchange).deleteTenant(exchange.id);
  sendJson(exchange, 200, { deleted: 1 });
}

export function listKeys(exchange: RoutedExchange): void {
  const tenant = exchange.query.text('tenant');
  const keys = administrationOf(exchange).keys();
  const shown = tenant === undefined ? keys : keys.filter((key) => key.tenant === tenant);
  sendJson(exchange, 200, { keys: shown.map(keyJson) });
}

export async function createKey(exchange: RoutedExchange): Promise<void> {
  const administration = administrationOf(exchange);
  const { tenant, scopes: wanted, label } = await readJson(exchange, newKeySchema);
  const made = await administration.createKey({
    tenant: String(tenant),
    scopes: checkScopes(wanted as readonly unknown[]),
    ...(typeof label === 'string' && { label }),
  });
  sendJson(exchange, 201, { ...keyJson(made), key: made.key });
}

export async function deleteKey(exchange: RoutedExchange): Promise<void> {
  await administrationOf(exchange).deleteKey(exchange.id);
  sendJson(exchange, 200, { deleted: 1 });
}

function administrationOf({ service }: RoutedExchange): Administration {
  return (
    service.guard.administration ??
    fail('not_found', 'There are no tenants to administer: this server has one pool.')
  );
}

/** Absent values as null, so that every row has the same fields. */
export function tenantJson(tenant: TenantStatus): Record<string, unknown> {
  return { ...tenant, storedBytes: tenant.storedBytes ?? null };
}

function keyJson({ id, tenant, scopes: allowed, label, createdAtMs }: KeyInfo): object {
  return { id, tenant, scopes: allowed, label: label ?? null, createdAtMs };
}
