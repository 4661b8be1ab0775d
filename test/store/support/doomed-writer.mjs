/** Makes a pool, puts parts, and when its parent says so retires some; then it waits to be killed. */

const [, , library, path] = process.argv;
const { openPool } = await import(library);
const pool = await openPool({ path, capacityBytes: 8 * 2 ** 20 });
for (const id of ['kept', 'replaced', 'deleted']) {
  pool.put(id, 'p', new Uint8Array(30_000).fill(id.length), { tags: ['all'] });
}
process.on('message', () => {
  pool.put('replaced', 'p', new Uint8Array(30_000).fill(99));
  pool.delete('deleted');
  process.send('retired');
});
process.send('ready');
