// SPDX-License-Identifier: Apache-2.0
// An SMS centre for functional tests of postern-smpp, on the npm package `smpp`: a codec that shares
// nothing with ours. A test drives it through JSON lines.
//
//   node server.js --key FILE --cert FILE --ca FILE [--port N]
//
// It writes {"event":"listening","port":N} first, then one line for each thing that happens: bind, submit,
// unbind, enquire_link, deliver_resp, close, tls_error. It reads commands:
//   {"cmd":"mode","mode":M}   what the next requests meet: "ok"; "refuse-bind" with "status"; "status" with
//                             "status", "count" and "skip" (so many submits behind the skipped ones, then ok);
//                             "silent" (no answer to submits); "garbage" (octets that are no PDU instead of an
//                             answer); "cut" (half a submit_sm_resp, then close)
//   {"cmd":"deliver","tag":T,"pdu":{...}}   sends that deliver_sm; its answer comes as deliver_resp with T
//   {"cmd":"late"}            answers what "silent" left unanswered
//   {"cmd":"unbind"}          asks every session to end
//   {"cmd":"close"}           cuts every connection
// and writes {"event":"done"} when a command has taken effect.
'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

const say = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
const sessions = new Set();
let mode = { mode: 'ok' };
let counter = 0x0a1b2c00;
let unanswered = [];

function describe(pdu) {
  const { message, udh } = pdu.short_message || {};
  return {
    source: pdu.source_addr, source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi,
    destination: pdu.destination_addr, destination_ton: pdu.dest_addr_ton, destination_npi: pdu.dest_addr_npi,
    esm_class: pdu.esm_class, data_coding: pdu.data_coding, priority: pdu.priority_flag,
    registered_delivery: pdu.registered_delivery, validity: pdu.validity_period,
    user_message_reference: pdu.user_message_reference,
    text: typeof message === 'string' ? message : Buffer.from(message || '').toString('latin1'),
    udh: (udh || []).map((element) => Buffer.from(element).toString('hex')),
  };
}

function onSubmit(session, pdu) {
  const id = (++counter).toString(16).toUpperCase().padStart(8, '0');
  say('submit', { id, ...describe(pdu) });
  const accept = () => session.send(pdu.response({ message_id: id }));
  switch (mode.mode) {
    case 'status':
      if (mode.skip-- > 0) return accept();
      session.send(pdu.response({ command_status: mode.status }));
      if (--mode.count <= 0) mode = { mode: 'ok' };
      break;
    case 'silent':
      unanswered.push(accept);
      break;
    case 'garbage':
      session.socket.write(Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
      break;
    case 'cut':
      session.socket.write(pdu.response({ message_id: id }).toBuffer().subarray(0, 18));
      setImmediate(() => session.destroy());
      break;
    default:
      accept();
  }
}

function onBind(session, pdu) {
  const refused = mode.mode === 'refuse-bind';
  say('bind', {
    command: pdu.command, system_id: pdu.system_id, password_length: pdu.password.length,
    interface_version: pdu.interface_version, tls: session.socket.getProtocol(),
    client: session.socket.getPeerCertificate().subject?.CN,
  });
  session.send(pdu.response(refused ? { command_status: mode.status } : { system_id: 'test-smsc' }));
  if (!refused) session.bound = true;
}

const tls = {
  key: fs.readFileSync(options.key), cert: fs.readFileSync(options.cert), ca: fs.readFileSync(options.ca),
  requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3',
};
const server = smpp.createServer(tls, (session) => {
  sessions.add(session);
  for (const command of ['bind_transceiver', 'bind_transmitter', 'bind_receiver'])
    session.on(command, (pdu) => onBind(session, pdu));
  session.on('submit_sm', (pdu) => onSubmit(session, pdu));
  session.on('enquire_link', (pdu) => {
    say('enquire_link', {});
    if (mode.mode !== 'silent') session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    say('unbind', {});
    session.send(pdu.response());
    session.close();
  });
  session.on('close', () => {
    sessions.delete(session);
    say('close', {});
  });
  session.on('error', (error) => say('error', { what: String(error) }));
});
server.on('tlsClientError', (error) => say('tls_error', { what: String(error) }));
server.listen(Number(options.port || 0), '127.0.0.1', () => say('listening', { port: server.address().port }));

const commands = {
  mode: (command) => { mode = command; },
  deliver: ({ tag, pdu }) => {
    const fields = { ...pdu };
    if (fields.short_message_hex !== undefined) {
      fields.short_message = Buffer.from(fields.short_message_hex, 'hex');
      delete fields.short_message_hex;
    }
    const session = [...sessions].find((candidate) => candidate.bound);
    if (!session) return say('error', { what: 'no bound session' });
    session.deliver_sm(fields, (answer) => say('deliver_resp', { tag, status: answer.command_status }));
  },
  late: () => {
    for (const answer of unanswered) answer();
    unanswered = [];
  },
  unbind: () => { for (const session of sessions) session.unbind(() => session.close()); },
  close: () => { for (const session of sessions) session.destroy(); },
};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  commands[command.cmd](command);
  say('done', {});
}).on('close', () => process.exit(0));
