/** Prometheus text exposition (format 0.0.4). */

import type { Spread } from '../../base/buckets.ts';

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  /** Of the name, for the parts of a histogram. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function gauge(name: string, help: string, value: number): Family {
  return labelled('gauge', name, help, [{ value }]);
}

export function counter(name: string, help: string, value: number): Family {
  return labelled('counter', `${name}_total`, help, [{ value }]);
}

export function labelled(
  type: Family['type'],
  name: string,
  help: string,
  samples: readonly Sample[],
): Family {
  return { name: `cenote_${name}`, type, help, samples };
}

/** @param unit of the bounds and the sum, in the unit of the name: 0.001 for milliseconds told in seconds */
export function histogram(name: string, help: string, spread: Spread, unit = 1): Family {
  let count = 0;
  const buckets = spread.counts.map((own, at): Sample => {
    count += own;
    const bound = spread.bounds[at];
    const le = bound === undefined ? '+Inf' : String(bound * unit);
    return { suffix: '_bucket', labels: { le }, value: count };
  });
  const sum: Sample = { suffix: '_sum', value: spread.sum * unit };
  return labelled('histogram', name, help, [...buckets, sum, { suffix: '_count', value: count }]);
}

/** The same families of several, told apart by a label. */
export function joined(
  label: string,
  groups: readonly { readonly name: string; readonly families: readonly Family[] }[],
): Family[] {
  const byName = new Map<string, Family>();
  for (const { name, families } of groups) {
    for (const family of families) {
      const own = family.samples.map((sample) => ({
        ...sample,
        labels: { [label]: name, ...sample.labels },
      }));
      const before = byName.get(family.name)?.samples ?? [];
      byName.set(family.name, { ...family, samples: [...before, ...own] });
    }
  }
  return [...byName.values()];
}

export function expositionText(families: readonly Family[]): string {
  return families.map(familyText).join('');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix = '', labels, value }) => {
    const pairs = Object.entries(labels ?? {}).map(([key, text]) => `${key}="${escaped(text)}"`);
    return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
