/** Prometheus text exposition (format 0.0.4). */

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
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

/** The same families of several, told apart by a label. */
export function joined(
  label: string,
  groups: readonly { readonly name: string; readonly families: readonly Family[] }[],
): Family[] {
  const byName = new Map<string, Family>();
  for (const { name, families } of groups) {
    for (const family of families) {
      const own = family.samples.map(({ labels, value }) => ({
        labels: { [label]: name, ...labels },
        value,
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

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels ?? {}).map(([key, text]) => `${key}="${text}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
