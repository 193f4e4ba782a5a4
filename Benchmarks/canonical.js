// canonical.js FILE REPEATS: JSON.stringify(JSON.parse(line)) and SHA-256 of every line of a file; prints MB of input a
// second. Two passes come first, so that the engine has compiled what it will.
'use strict';
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');

const lines = readFileSync(process.argv[2], 'utf8').split('\n').filter((line) => line !== '');
const repeats = Number(process.argv[3]);
let digests = 0;

function pass() {
  for (const line of lines) {
    const digest = createHash('sha256').update(JSON.stringify(JSON.parse(line))).digest();
    digests += digest.length;
  }
}

pass();
pass();
const start = process.hrtime.bigint();
for (let round = 0; round < repeats; round += 1) pass();
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
if (digests !== 32 * lines.length * (repeats + 2)) throw new Error('not every line has a digest');
const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0) * repeats;
console.log(JSON.stringify({ rate: bytes / seconds / 1e6, version: process.version }));
