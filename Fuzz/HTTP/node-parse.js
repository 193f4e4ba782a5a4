'use strict';
// The same as http-parse, with Node's HTTP server: cases on standard input (four bytes of big-endian length, then the
// bytes), one JSON line per case on standard output. The server reads from an in-memory stream in place of a socket,
// which is what `server.emit('connection', duplex)` is documented for.
const http = require('http');
const { Duplex } = require('stream');

const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

function read(bytes) {
  return new Promise((resolve) => {
    const messages = [];
    let end = 'incomplete';
    const server = http.createServer({ insecureHTTPParser: false });
    server.timeout = server.requestTimeout = server.headersTimeout = server.keepAliveTimeout = 0;
    server.maxHeadersCount = 0;
    const take = (request, response) => {
      const body = [];
      const fields = [];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        fields.push([hex(request.rawHeaders[i]), hex(request.rawHeaders[i + 1])]);
      }
      const message = {
        method: hex(request.method), target: hex(request.url), minor: request.httpVersionMinor, fields, body: null,
      };
      messages.push(message);
      // The parser calls push() as it reads; the 'data' and 'end' events come later, and not at all when the connection
      // ends in between.
      const push = request.push;
      request.push = (piece) => {
        if (piece === null) message.body = Buffer.concat(body).toString('hex');
        else body.push(Buffer.from(piece));
        return push.call(request, piece);
      };
      request.on('error', () => {});
      request.on('end', () => response.end());
      request.resume();
    };
    server.on('request', take);
    server.on('checkContinue', take);
    server.on('checkExpectation', take);
    // The socket is left open, so that the bodies of the requests before the fault still come through.
    server.on('clientError', (error) => { end = 'fault:' + (error.code || error.message); });
    const socket = new Duplex({
      read() {},
      write(piece, encoding, done) { done(); },
    });
    socket.setTimeout = () => socket;
    socket.on('error', () => {});
    server.emit('connection', socket);
    socket.push(bytes);
    // Parsing is one synchronous call once the stream hands the bytes on, some turns from now.
    let turns = 8;
    const settle = () => {
      if (turns-- > 0) return setImmediate(settle);
      socket.destroy();
      resolve({ messages, end });
    };
    setImmediate(settle);
  });
}

async function main() {
  let pending = Buffer.alloc(0);
  for await (const piece of process.stdin) {
    pending = Buffer.concat([pending, piece]);
    const answers = [];
    while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32BE(0)) {
      const length = pending.readUInt32BE(0);
      answers.push(read(Buffer.from(pending.subarray(4, 4 + length))));
      pending = pending.subarray(4 + length);
    }
    for (const answer of await Promise.all(answers)) process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

main();
