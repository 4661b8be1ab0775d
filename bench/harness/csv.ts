/** CSV as in RFC 4180. */

export type Cell = string | number | boolean | undefined;

export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => row.map(quoted).join(',') + '\r\n').join('');
}

function quoted(cell: Cell): string {
  if (cell === undefined) return '';
  const text = typeof cell === 'number' ? shortNumber(cell) : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** At most six significant digits below 10^6; whole numbers stay as they are. */
function shortNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}
