import t from 'tap'
import { browserCipher } from '../../../lib/ces/cipher/browser-cipher.ts'
import { openSmall, sealSmall } from '../../../lib/ces/cipher/cipher.ts'
import { hchacha20 } from '../../../lib/ces/cipher/hchacha20.ts'
import { nodeCipher } from '../../../lib/ces/cipher/node-cipher.ts'
import { bytes, hex, lcg, vectors } from './vectors.ts'

const ciphers = { node: nodeCipher, browser: browserCipher }

t.test('HChaCha20, as the draft has it', async t => {
  const key = bytes('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')
  t.equal(
    hex(hchacha20(key, bytes('000000090000004a0000000031415927'))),
    '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc'
  )
})

t.test('sealed vectors, both ways and by both implementations', async t => {
  interface File { key: string, nonce: string, cases: Array<{ plain: string, aad: string, sealed: string }> }
  const file = await vectors<File>(t, 'xchacha20poly1305.json')
  if (file === undefined) return
  const [key, nonce] = [bytes(file.key), bytes(file.nonce)]
  for (const [name, cipher] of Object.entries(ciphers)) {
    for (const { plain, aad, sealed } of file.cases) {
      const { ciphertext, tag } = cipher.seal(key, nonce, bytes(plain), bytes(aad))
      t.equal(hex(ciphertext) + hex(tag), sealed, `${name}: ${plain.length / 2} bytes`)
      const pieces = [ciphertext.subarray(0, 3), ciphertext.subarray(3)]
      t.equal(hex(cipher.open(key, nonce, pieces, tag, bytes(aad))!), plain)
    }
  }
})

t.test('nothing opens with another key, nonce, AAD or a changed byte', async t => {
  const [key, nonce, plain, aad] = [lcg(32), lcg(24), lcg(100), lcg(9)]
  const changed = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => at === 1 ? byte ^ 1 : byte)
  for (const cipher of Object.values(ciphers)) {
    const sealed = sealSmall(cipher, key, nonce, plain, aad)
    t.strictSame(Buffer.from(openSmall(cipher, key, sealed, aad)!), Buffer.from(plain))
    t.equal(openSmall(cipher, changed(key), sealed, aad), undefined)
    t.equal(openSmall(cipher, key, sealed, changed(aad)), undefined)
    for (let at = 0; at < sealed.length; at++) {
      t.equal(openSmall(cipher, key, sealed.map((byte, n) => n === at ? byte ^ 0x80 : byte), aad), undefined)
    }
    for (let length = 0; length < sealed.length; length++) {
      t.equal(openSmall(cipher, key, sealed.subarray(0, length), aad), undefined)
    }
  }
})
