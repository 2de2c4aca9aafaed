// SPDX-License-Identifier: Apache-2.0
// A scripted HTTPS provider for functional tests (HTTP/2, or HTTP/1.1 where the client asks for it).
//   node provider.mjs CERTIFICATE KEY [http1]     http1: HTTP/1.1 only
// Standard output, one JSON document a line: {"port":N} first, then every request as it came:
//   {"method","path","version","session","headers","body"}
// Standard input, one JSON document a line: a rule
//   {"path":"/v1/...", "match":"text in the body", "answers":[{...}, ...]}
// The first rule whose path begins the request's path and whose `match` stands in the body decides; its
// answers are given in order, the last one for ever. An answer is
//   {"status":200,"headers":{},"body":"...","delay_ms":0}        or
//   {"action":"hang"}        takes the request and says nothing
//   {"action":"cut"}         takes the request and closes the TCP connection without a word
//   {"action":"reset"}       takes the request and resets the stream (HTTP/2)
// A rule with the same path and match replaces the one before.
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import readline from 'node:readline';

const [certificate, key, mode] = process.argv.slice(2);
const rules = [];
let sessions = 0;
const numbers = new WeakMap();
const connections = new Map();  // by the client's port: an HTTP/2 request does not give its socket away

function say(object) {
  process.stdout.write(JSON.stringify(object) + '\n');
}

function sessionOf(request) {
  const socket = request.stream ? request.stream.session : request.socket;
  if (!numbers.has(socket)) numbers.set(socket, ++sessions);
  return numbers.get(socket);
}

function answerFor(path, body) {
  const rule = rules.find((r) => path.startsWith(r.path) && body.includes(r.match ?? ''));
  if (!rule) return {status: 404, body: 'no rule'};
  return rule.answers.length > 1 ? rule.answers.shift() : rule.answers[0];
}

function act(request, response, answer) {
  if (answer.action === 'hang') return;
  if (answer.action === 'cut') return connections.get(request.socket.remotePort)?.destroy();
  if (answer.action === 'reset') return request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  response.writeHead(answer.status ?? 200, {'content-type': 'application/json', ...(answer.headers ?? {})});
  response.end(answer.body ?? '');
}

const identity = {cert: fs.readFileSync(certificate), key: fs.readFileSync(key)};
const server =
    mode === 'http1' ? https.createServer(identity) : http2.createSecureServer({...identity, allowHTTP1: true});
server.on('secureConnection', (socket) => {
  const port = socket.remotePort;
  connections.set(port, socket);
  socket.on('close', () => connections.delete(port));
  socket.on('error', () => {});
});
server.on('request', (request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('error', () => {});
  response.on('error', () => {});
  request.on('end', () => {
    const body = Buffer.concat(pieces).toString('utf8');
    say({method: request.method, path: request.url, version: request.httpVersion, session: sessionOf(request),
         headers: request.headers, body});
    const answer = answerFor(request.url, body);
    setTimeout(() => act(request, response, answer), answer.delay_ms ?? 0);
  });
});
server.on('sessionError', () => {});
server.listen(0, '127.0.0.1', () => say({port: server.address().port}));

readline.createInterface({input: process.stdin}).on('line', (line) => {
  const rule = JSON.parse(line);
  const known = rules.findIndex((r) => r.path === rule.path && (r.match ?? '') === (rule.match ?? ''));
  if (known >= 0) rules[known] = rule;
  else rules.push(rule);
  say({ready: rule.path});
}).on('close', () => process.exit(0));
