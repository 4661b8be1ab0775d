/** What a dynamic batcher does, said as plainly as possible: lists that are searched from the front, a millisecond at a time. */

export interface OracleShape {
  readonly batchMax: number;
  readonly preferred: readonly number[];
  readonly queueDelayMs: number;
  readonly instances: number;
  readonly fairRows: number;
  readonly policies: readonly OraclePolicy[];
}

export interface OraclePolicy {
  readonly timeoutMs: number;
  readonly timeoutAction: 'reject' | 'delay';
  readonly allowTimeoutOverride: boolean;
  readonly queueMax: number;
  readonly tenantQueueMax: number;
}

export interface OracleRequest {
  readonly name: string;
  readonly tenant: string;
  readonly rows: number;
  readonly level: number;
  readonly arrivedMs: number;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  isLate: boolean;
}

/** Tenants in a ring; the first has the turn. */
interface Line {
  readonly lanes: { readonly tenant: string; readonly items: OracleRequest[]; left: number }[];
  isGranted: boolean;
}

const copyOf = ({ lanes, isGranted }: Line): Line => ({
  lanes: lanes.map(({ tenant, items, left }) => ({ tenant, items: [...items], left })),
  isGranted,
});

export class DynamicOracle {
  nowMs = 0;
  readonly batches: string[] = [];
  readonly told: string[] = [];
  readonly running: (OracleRequest[] | undefined)[];
  /** In time and late, level by level. */
  readonly #lines: readonly Line[];
  readonly #gone = new Set<OracleRequest>();
  readonly #shape: OracleShape;

  constructor(shape: OracleShape) {
    this.#shape = shape;
    this.running = Array.from({ length: shape.instances });
    this.#lines = shape.policies.flatMap(() => [
      { lanes: [], isGranted: false },
      { lanes: [], isGranted: false },
    ]);
  }

  get queued(): OracleRequest[] {
    return this.#lines.flatMap(({ lanes }) => lanes.flatMap(({ items }) => items));
  }

  submit(request: OracleRequest): void {
    const policy = this.#shape.policies[request.level - 1]!;
    const ofLevel = this.queued.filter(({ level }) => level === request.level);
    const own = ofLevel.filter(({ tenant }) => tenant === request.tenant);
    if (request.deadlineMs <= this.nowMs) this.told.push(`${request.name}: engine_deadline`);
    else if (ofLevel.length >= policy.queueMax || own.length >= policy.tenantQueueMax)
      this.told.push(`${request.name}: engine_busy`);
    else this.#push(this.#lineOf(request), request);
  }

  cancel(request: OracleRequest): void {
    const isRunning = this.running.some((batch) => batch?.includes(request) === true);
    if (this.#gone.has(request) || (!isRunning && !this.queued.includes(request))) return;
    this.#refuse(request, 'aborted');
  }

  finish(instance: number): void {
    for (const request of this.running[instance] ?? [])
      if (!this.#gone.has(request)) {
        this.#gone.add(request);
        this.told.push(request.name);
      }
    this.running[instance] = undefined;
  }

  look(): void {
    for (const request of [...this.queued, ...this.running.flatMap((batch) => batch ?? [])])
      if (request.deadlineMs <= this.nowMs && !this.#gone.has(request))
        this.#refuse(request, 'engine_deadline');
    for (const request of this.queued.toSorted(byArrival)) this.#timeOut(request);
    for (;;) {
      const instance = this.running.indexOf(undefined);
      const count = instance < 0 ? 0 : this.#choose();
      if (count === 0) return;
      const batch = Array.from({ length: count }, () => take(this.#lines, this.#shape.fairRows)!);
      this.running[instance] = batch;
      this.batches.push(`${instance}: ${batch.map(({ name }) => name).join(' ')}`);
    }
  }

  #timeOut(request: OracleRequest): void {
    const policy = this.#shape.policies[request.level - 1]!;
    const own = policy.allowTimeoutOverride ? request.timeoutMs : Infinity;
    const isOver = request.arrivedMs + Math.min(policy.timeoutMs, own) <= this.nowMs;
    if (!isOver || request.isLate) return;
    if (policy.timeoutAction === 'reject') {
      this.#refuse(request, 'engine_deadline');
      return;
    }
    this.#remove(request);
    request.isLate = true;
    this.#push(this.#lineOf(request), request);
  }

  #choose(): number {
    const order: OracleRequest[] = [];
    const lines = this.#lines.map(copyOf);
    for (
      let next = take(lines, this.#shape.fairRows);
      next;
      next = take(lines, this.#shape.fairRows)
    )
      order.push(next);
    const { batchMax, preferred, queueDelayMs } = this.#shape;
    let [rows, count, best] = [0, 0, 0];
    for (const request of order) {
      if (rows + request.rows > batchMax) break;
      rows += request.rows;
      count += 1;
      if (preferred.includes(rows)) best = count;
    }
    if (best > 0) return best;
    const noMoreFit = count < order.length || rows === batchMax;
    const waited = order.some(({ arrivedMs }) => arrivedMs + queueDelayMs <= this.nowMs);
    return noMoreFit || waited ? count : 0;
  }

  #refuse(request: OracleRequest, code: string): void {
    this.#remove(request);
    this.#gone.add(request);
    this.told.push(`${request.name}: ${code}`);
  }

  #lineOf({ level, isLate }: OracleRequest): Line {
    return this.#lines[2 * level - 2 + (isLate ? 1 : 0)]!;
  }

  #push({ lanes }: Line, request: OracleRequest): void {
    const lane = lanes.find(({ tenant }) => tenant === request.tenant);
    if (lane === undefined) lanes.push({ tenant: request.tenant, items: [request], left: 0 });
    else lane.items.push(request);
  }

  #remove(request: OracleRequest): void {
    const line = this.#lineOf(request);
    for (const [index, { items }] of line.lanes.entries()) {
      if (!items.includes(request)) continue;
      items.splice(items.indexOf(request), 1);
      if (items.length > 0) return;
      line.lanes.splice(index, 1);
      if (index === 0) line.isGranted = false;
      return;
    }
  }
}

/** Names rise. */
const byArrival = (a: OracleRequest, b: OracleRequest): number => (a.name < b.name ? -1 : 1);

/** Deficit round robin, of the first line that has somebody. */
function take(lines: readonly Line[], quantum: number): OracleRequest | undefined {
  const line = lines.find(({ lanes }) => lanes.length > 0);
  if (line === undefined) return undefined;
  for (;;) {
    const lane = line.lanes[0]!;
    if (!line.isGranted) lane.left += quantum;
    line.isGranted = true;
    if (lane.items[0]!.rows <= lane.left) {
      const request = lane.items.shift()!;
      lane.left -= request.rows;
      if (lane.items.length === 0) {
        line.lanes.shift();
        line.isGranted = false;
      }
      return request;
    }
    line.lanes.push(line.lanes.shift()!);
    line.isGranted = false;
  }
}
