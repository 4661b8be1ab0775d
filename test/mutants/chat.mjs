/** What completions over HTTP may not do without. */

const protocol = 'test/server/chat/protocol.test.ts';
const complete = 'src/server/chat/complete.ts';
const request = 'src/server/chat/request.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const chats = [
  {
    name: 'completions that are of no tenant',
    why: 'the tenant of the key decides whose state is found',
    file: complete,
    from: "tenant: caller?.tenantIdentity ?? '',",
    to: "tenant: '',",
    test: protocol,
    killer: 'the client of OpenAI gets a chat completion',
  },
  {
    name: 'an answer that is computed for nobody',
    why: 'who leaves gives the place back',
    file: complete,
    from: "res.once('close', leave);",
    to: '',
    test: protocol,
    killer: 'whoever leaves ends the work, stream: true',
  },
  {
    name: 'an error that is told as success',
    why: 'before the first token the status is still to be said',
    file: complete,
    from: 'if (!exchange.res.headersSent) throw error;',
    to: 'if (!exchange.res.headersSent) sendHead(exchange, 200, eventHeaders);',
    test: protocol,
    killer: '… and the errors it has classes for',
  },
  {
    name: 'a key that goes on after it was revoked',
    why: 'each token is for a caller who may have it',
    file: complete,
    from: `    for await (const { text } of generation) {
      exchange.reservation?.checkCaller();`,
    to: '    for await (const { text } of generation) {',
    test: protocol,
    killer: 'a key that is revoked gets no more tokens',
  },
  {
    name: 'a stream without its end',
    why: 'clients wait for [DONE], or take the answer for cut',
    file: complete,
    from: "exchange.res.end('data: [DONE]\\n\\n');",
    to: 'exchange.res.end();',
    test: protocol,
    killer: 'events are lines of JSON, and the last one says that it is over',
  },
  {
    name: 'several answers that are one',
    why: 'what is not done is refused',
    file: request,
    from: "refuseUnless(fields, 'n', isOne);",
    to: '',
    test: protocol,
    killer: 'several answers: refused',
  },
  {
    name: 'fields with a slip of the pen',
    why: 'who writes tempurature means something by it',
    file: 'src/server/chat/fields.ts',
    from: 'known !== undefined && !known.has(name)',
    to: 'false',
    test: protocol,
    killer: 'a field that is not known: refused',
  },
  {
    name: 'conversations without end',
    why: 'everything is bounded',
    file: request,
    from: 'if (value.length > messagesMax) {',
    to: 'if (value.length < 0) {',
    test: protocol,
    killer: 'too many messages: refused',
  },
  {
    name: 'errors that clients of OpenAI cannot read',
    why: 'also what is refused before a route is known has their shape',
    file: 'src/server/http/handle.ts',
    from: 'sendProblem(exchange, error, router.dialectOf(path));',
    to: 'sendProblem(exchange, error);',
    test: protocol,
    killer: 'no messages: refused',
  },
];
