/** Opens one pool in a fresh process and says how long that took: `node open-child.js FOLDER PARTS ID [disk]`. */

const started = performance.now();
const { openPool } = await import('cenote');
const imported = performance.now();
const [folder, expectedParts, id, tier] = process.argv.slice(2) as [
  string,
  string,
  string,
  string?,
];
const tiers = tier === 'disk' ? { tiers: { disk: {} } } : {};
const opening = performance.now();
const pool = await openPool({ path: folder, ...tiers });
const opened = performance.now();
const lease = pool.get(id, 'kv');
const read = performance.now();
const { parts } = pool.stats();
if (lease === undefined || parts !== Number(expectedParts))
  throw new Error(`the pool holds ${parts} parts`);
lease.release();
await pool.close();
const report: OpenReport = {
  importNs: (imported - started) * 1e6,
  openNs: (opened - opening) * 1e6,
  firstGetNs: (read - opened) * 1e6,
};
process.stdout.write(JSON.stringify(report));

export interface OpenReport {
  readonly importNs: number;
  readonly openNs: number;
  readonly firstGetNs: number;
}
