/**
 * Traces in columns, separated by commas, under a header.
 *
 * - `csv`: a column `id`, a block per row; `time` in seconds where there is one; consecutive rows of the same `request`, where there is such a
 *   column, are the blocks of one request, otherwise each row is a request of its own.
 * - `azure`: `TIMESTAMP,ContextTokens,GeneratedTokens`, as published for Azure's LLM inference. It tells how long prompts were, not what was in them:
 *   no block of such a trace is ever asked for again.
 */

import { fail } from '../../errors.ts';
import { LineReader, type TraceReader } from './lines.ts';
import { tokensPerBlock, type TraceBuilder } from './trace.ts';

/** More tokens than any prompt has. */
const maxTokens = 2 ** 31 - 1;

type OnRow = (cells: readonly string[], number: number) => void;

/** @param format undefined: `azure` where the header says so */
export function tableReader(
  builder: TraceBuilder,
  format: 'azure' | 'csv' | undefined,
): TraceReader {
  let onRow: OnRow | undefined;
  return new LineReader((line, number) => {
    const cells = cellsOf(line, number);
    if (onRow !== undefined) {
      onRow(cells, number);
      return;
    }
    const header = cells.map((title) => title.toLowerCase());
    const isAzure = format === undefined ? header.includes('contexttokens') : format === 'azure';
    onRow = isAzure ? azureRows(builder, header) : plainRows(builder, header);
  });
}

function azureRows(builder: TraceBuilder, header: readonly string[]): OnRow {
  const time = columnOf(header, 'timestamp');
  const tokens = columnOf(header, 'contexttokens');
  const generated = header.indexOf('generatedtokens');
  return (cells, number) => {
    const text = cells[time] ?? '';
    const atMs = Date.parse(
      `${text.replace(' ', 'T')}${/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? '' : 'Z'}`,
    );
    if (Number.isNaN(atMs)) fail('trace_malformed', `line ${number}: '${text}' is not a time`);
    const count = tokensIn(cells[tokens], number);
    const outputTokens = generated < 0 ? 0 : tokensIn(cells[generated], number);
    builder.begin(atMs, { inputTokens: count, outputTokens });
    builder.addFresh(Math.ceil(count / tokensPerBlock));
  };
}

function plainRows(builder: TraceBuilder, header: readonly string[]): OnRow {
  const id = columnOf(header, 'id');
  const time = header.indexOf('time');
  const request = header.indexOf('request');
  let current: string | undefined;
  return (cells, number) => {
    const name = cells[id] ?? '';
    if (name === '') fail('trace_malformed', `line ${number} has no id`);
    const group = request < 0 ? undefined : cells[request];
    if (group === undefined || group !== current) {
      builder.begin(time < 0 ? 0 : numberIn(cells[time], number, 'a time in seconds') * 1000);
      current = group;
    }
    builder.add(name);
  };
}

function tokensIn(cell: string | undefined, number: number): number {
  const count = numberIn(cell, number, 'a number of tokens');
  if (count < 0 || count > maxTokens || !Number.isInteger(count))
    fail('trace_malformed', `line ${number}: ${count} is not a number of tokens`);
  return count;
}

function columnOf(header: readonly string[], title: string): number {
  const column = header.indexOf(title);
  if (column < 0)
    fail('trace_malformed', `the header has no column '${title}', only: ${header.join(', ')}`);
  return column;
}

function numberIn(cell: string | undefined, number: number, what: string): number {
  const value = cell === undefined || cell === '' ? Number.NaN : Number(cell);
  if (!Number.isFinite(value))
    fail('trace_malformed', `line ${number}: '${cell ?? ''}' is not ${what}`);
  return value;
}

/** Cells of a line, trimmed; one in quotes may hold commas, and quotes written twice. */
function cellsOf(line: string, number: number): string[] {
  if (!line.includes('"')) return line.split(',').map((cell) => cell.trim());
  const cells: string[] = [];
  const cell = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y;
  for (;;) {
    const match = cell.exec(line);
    if (match === null) fail('trace_malformed', `line ${number} has quotes that do not match`);
    cells.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string).trim());
    if (match[3] === '') return cells;
  }
}
