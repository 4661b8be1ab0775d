/** Tables of aligned columns. Pure. */

import { padEnd, padStart, visibleWidth, type Palette } from './ansi.ts';

export interface Column {
  readonly title: string;
  /** Numbers go right, names left. */
  readonly align: 'left' | 'right';
}

/** One line per row under a dim header; columns two spaces apart. Cells may hold colours. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paint: Palette,
): string[] {
  const widths = columns.map((column, index) =>
    Math.max(visibleWidth(column.title), ...rows.map((row) => visibleWidth(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]): string => {
    const padded = columns.map((column, index) => {
      const width = widths[index] as number;
      return column.align === 'left'
        ? padEnd(cells[index] ?? '', width)
        : padStart(cells[index] ?? '', width);
    });
    return padded.join('  ').trimEnd();
  };
  return [paint.dim(line(columns.map((column) => column.title))), ...rows.map(line)];
}
