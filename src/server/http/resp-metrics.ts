/** What the RESP server counts, for the metrics page. */

import type { RespStats } from '../resp/traffic.ts';
import { counter, gauge, labelled, type Family } from './exposition.ts';

export function respFamilies(stats: RespStats): Family[] {
  const errors = Object.entries(stats.errors).map(([code, value]) => ({ labels: { code }, value }));
  const closed = Object.entries(stats.closed).map(([reason, value]) => ({
    labels: { reason },
    value,
  }));
  return [
    gauge('resp_connections', 'Open connections.', stats.connections),
    gauge('resp_in_flight_bytes', 'Bytes of values being received.', stats.inFlightBytes),
    gauge('resp_waiting_bytes', 'Replies that clients have not taken.', stats.waitingBytes),
    counter('resp_commands', 'Commands.', stats.commands),
    labelled('counter', 'resp_errors_total', 'Error replies, by code.', errors),
    labelled('counter', 'resp_closed_total', 'Connections closed by the server.', closed),
  ];
}
