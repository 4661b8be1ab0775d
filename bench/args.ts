/** Command line of the benchmark. */

import { parseArgs } from 'node:util';

export interface Args {
  readonly suite: string;
  readonly workers: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly out: string | undefined;
  /** Only scenarios whose name contains this. */
  readonly only: string | undefined;
  /** Runs this one scenario here and sends its rows to the parent process. */
  readonly scenario: string | undefined;
  readonly folder: string | undefined;
  readonly shared: string | undefined;
  readonly ablation: boolean;
  readonly operations: number | undefined;
  readonly record: string | undefined;
  readonly replay: string | undefined;
  readonly python: string | undefined;
  readonly pricePerHour: number;
}

/** Of a small machine, in any currency. */
const defaultPricePerHour = 0.1;

export const usage: string = `Usage: bench SUITE [--workers N] [--quick] [--out DIR] [--json] [--only TEXT]
                   [--ablation] [--operations N] [--record FILE] [--replay FILE] [--python PATH]
                   [--price-per-hour N]

  SUITE           alloc, store, many, pools, kv, engine, server or all
  --workers N     worker threads (default 1)
  --quick         little data and few rounds: shows that it runs, not how fast
  --out DIR       writes rows.csv, bars.csv, rows.json, machine.json and SVG charts there
  --json          rows as a JSON array on stdout
  --only TEXT     only scenarios whose name contains TEXT
  --ablation      alloc: variants of ours in place of peers
  --operations N  alloc: length of the run that memory is measured over (default 5,000,000)
  --record FILE   alloc: measures nothing; writes what the house workload named by --only allocates and frees, as
                  gzipped CSV: worker,time,action,id,size,kind
  --replay FILE   alloc: plays such a recording (as the workload replay), and only that
  --price-per-hour N  engine: what the machine costs, for the price of a million requests (default ${defaultPricePerHour})
  --python PATH   kv: a checkout of nano-vllm, whose block manager plays the same requests

Examples:
  bench alloc --workers 2 --out ./results
  bench alloc --only fragmentation_mix --operations 100000000
  bench alloc --only rl_medium --record trace.csv.gz
  bench alloc --replay trace.csv.gz
  bench store --quick
  bench server --only 4MiB
  bench store --only get-64KiB --out ./results
`;

/** @throws Error with a message for the user */
export function readArgs(argv: readonly string[]): Args {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      workers: { type: 'string' },
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
      out: { type: 'string' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      folder: { type: 'string' },
      shared: { type: 'string' },
      ablation: { type: 'boolean' },
      operations: { type: 'string' },
      record: { type: 'string' },
      replay: { type: 'string' },
      python: { type: 'string' },
      'price-per-hour': { type: 'string' },
    },
  });
  const help = values.help === true;
  const [suite] = positionals;
  if (!help && positionals.length !== 1) throw new Error('name one suite');
  return {
    suite: suite ?? '',
    workers: readWorkers(values.workers),
    quick: values.quick === true,
    json: values.json === true,
    help,
    out: values.out,
    only: values.only,
    scenario: values.scenario,
    folder: values.folder,
    shared: values.shared,
    ablation: values.ablation === true,
    operations: readOperations(values.operations),
    record: values.record,
    replay: values.replay,
    python: values.python,
    pricePerHour: readPrice(values['price-per-hour']),
  };
}

function readWorkers(text: string | undefined): number {
  if (text === undefined) return 1;
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new Error(`--workers takes 1…999, not ${text}`);
  return Number(text);
}

function readPrice(text: string | undefined): number {
  if (text === undefined) return defaultPricePerHour;
  const price = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || price > 1e6) {
    throw new Error(`--price-per-hour takes 0…10^6, not ${text}`);
  }
  return price;
}

function readOperations(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+(e\d+)?$/.test(text) || number < 1000 || number > 1e11) {
    throw new Error(`--operations takes 1000…10^11, not ${text}`);
  }
  return number;
}
