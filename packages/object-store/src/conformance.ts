import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict';
import { isKind, seededRandom, VivaceError } from '@vivace/kernel';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type ObjectStore, UPLOAD_PIECE_MIN_BYTES } from './object-store.ts';

/** A fresh store for the suite, with what ends it. It must start empty. */
export type StoreFactory = () => Promise<{ store: ObjectStore; close?: () => Promise<void> }>;

/** The suite that every store and every wrapper of one must pass. Each test has its own keys in one store. */
export function describeObjectStore(name: string, factory: StoreFactory): void {
  describe(name, () => {
    let store: ObjectStore;
    let close: (() => Promise<void>) | undefined;
    beforeAll(async () => {
      ({ store, close } = await factory());
    });
    afterAll(async () => {
      await close?.();
    });

    const get = async (key: string) => text((await store.get(key)).bytes);
    const put = (key: string, content: string, only?: 'absent' | { etag: string }) =>
      store.put(key, [bytes(content)], only === undefined ? {} : { only });

    test('a get answers what was put, with size, ETag and times', async () => {
      const written = await put('get/a', 'hello');
      const read = await store.get('get/a');
      strictEqual(text(read.bytes), 'hello');
      deepStrictEqual(
        [read.key, read.size, read.etag, read.notModified],
        ['get/a', 5, written.etag, false],
        'what describes the object',
      );
      ok(Math.abs(read.storeTimeMs - written.storeTimeMs) < 10_000);
      ok(read.lastModifiedMs > 0 && Math.abs(read.storeTimeMs - read.lastModifiedMs) < 10_000);
      ok(Number.isInteger(read.lastModifiedMs));
    });

    test('a head says the same as a get', async () => {
      await put('head/a', 'hello');
      const { bytes: _, notModified: __, storeTimeMs: ___, ...read } = await store.get('head/a');
      const { storeTimeMs, ...head } = await store.head('head/a');
      // HTTP has the time in seconds, lists in milliseconds: the same store may answer either.
      strictEqual(Math.floor(head.lastModifiedMs / 1000), Math.floor(read.lastModifiedMs / 1000));
      deepStrictEqual({ ...head, lastModifiedMs: 0 }, { ...read, lastModifiedMs: 0 });
      ok(storeTimeMs >= head.lastModifiedMs - 1000);
    });

    test('a body of many parts is one object', async () => {
      const parts = ['one', '', 'two', '', 'three'].map(bytes);
      await store.put('parts/a', parts);
      strictEqual(await get('parts/a'), 'onetwothree');
    });

    test('a part may be a view on shared memory', async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 4);
      shared.set(bytes('abcd'));
      await store.put('parts/shared', [shared]);
      await store.put('parts/shared-two', [shared, bytes('e')]);
      deepStrictEqual([await get('parts/shared'), await get('parts/shared-two')], ['abcd', 'abcde']);
    });

    test('an object may be empty', async () => {
      await store.put('empty/none', []);
      await store.put('empty/some', [new Uint8Array(0)]);
      strictEqual((await store.get('empty/none')).bytes.length, 0);
      strictEqual((await store.head('empty/some')).size, 0);
    });

    test('a large body of many parts comes back equal, whole and in ranges', async () => {
      const random = seededRandom(7);
      const parts = [3_000_000, 1, 70_000, 2_929_999].map((length) => pattern(random.u32(), length));
      const whole = Buffer.concat(parts);
      const { etag } = await store.put('large/a', parts);
      const read = await store.get('large/a');
      ok(whole.equals(read.bytes), 'the whole object');
      strictEqual(read.etag, etag);
      for (const [offset, length] of [
        [0, 1],
        [2_999_999, 2],
        [1_234_567, 4_000_000],
        [whole.length - 1, 1],
      ] as const) {
        const part = await store.get('large/a', { range: { offset, length } });
        ok(whole.subarray(offset, offset + length).equals(part.bytes), `${length} bytes from ${offset}`);
        deepStrictEqual([part.size, part.etag], [whole.length, etag]);
      }
    });

    test('the bytes of a get are the caller’s own', async () => {
      await put('own/a', 'hello');
      const { bytes: mine } = await store.get('own/a');
      mine.fill(0);
      structuredClone(mine.buffer, { transfer: [mine.buffer as ArrayBuffer] });
      strictEqual(await get('own/a'), 'hello');
    });

    test('a put replaces and changes the ETag', async () => {
      const first = await put('replace/a', 'first');
      const second = await put('replace/a', 'again');
      notStrictEqual(first.etag, second.etag);
      strictEqual(await get('replace/a'), 'again');
      strictEqual((await store.head('replace/a')).etag, second.etag);
    });

    test('a large object replaced by one of the same size has another ETag, also with a delete between', async () => {
      const etags = new Set<string>();
      for (let i = 0; i < 6; i++) {
        if (i % 2 === 1) await store.delete('replace/large');
        etags.add((await store.put('replace/large', [pattern(i, 200_000)])).etag);
        ok(Buffer.from(pattern(i, 200_000)).equals((await store.get('replace/large')).bytes), `content ${i}`);
      }
      strictEqual(etags.size, 6);
    });

    test('a read that is under way sees one state of an object that is replaced', async () => {
      await store.put('torn/a', [new Uint8Array(300_000)]);
      const puts = Array.from({ length: 6 }, (_, i) => store.put('torn/a', [new Uint8Array(300_000).fill(i)]));
      const reads = Array.from({ length: 24 }, () => store.get('torn/a'));
      for (const { bytes: read } of await Promise.all(reads)) {
        ok(read.length === 300_000 && read.every((byte) => byte === read[0]));
      }
      await Promise.all(puts);
    });

    test('a missing object is not found', async () => {
      await failsWith(store.get('missing/a'), 'not-found', 'object-not-found');
      await failsWith(store.get('missing/a', { range: { offset: 0, length: 1 } }), 'not-found', 'object-not-found');
      await failsWith(store.get('missing/a', { ifNoneMatch: '"x"' }), 'not-found', 'object-not-found');
      await failsWith(store.head('missing/a'), 'not-found', 'object-not-found');
    });

    test('a delete removes, and succeeds again', async () => {
      await put('delete/a', 'x');
      await put('delete/b', 'y');
      await store.delete('delete/a');
      await failsWith(store.get('delete/a'), 'not-found');
      await store.delete('delete/a');
      await store.delete('delete/never/there');
      strictEqual(await get('delete/b'), 'y');
      await put('delete/a', 'back', 'absent');
      strictEqual(await get('delete/a'), 'back');
    });

    test('puts and deletes in one folder at a time do not disturb each other', async () => {
      const work = Array.from({ length: 24 }, async (_, i) => {
        const key = `churn/deep/er/${i % 3}`;
        await put(key, `${i}`);
        await store.delete(key);
      });
      await Promise.all(work);
      deepStrictEqual((await store.list('churn/')).objects, []);
    });

    test('a range that ends past the object is not satisfiable', async () => {
      await put('range/a', '0123456789');
      strictEqual(text((await store.get('range/a', { range: { offset: 2, length: 3 } })).bytes), '234');
      strictEqual(text((await store.get('range/a', { range: { offset: 9, length: 1 } })).bytes), '9');
      for (const range of [
        { offset: 10, length: 1 },
        { offset: 9, length: 2 },
        { offset: 0, length: 11 },
        { offset: 2 ** 40, length: 5 },
      ]) {
        await failsWith(store.get('range/a', { range }), 'invalid', 'range-not-satisfiable');
      }
      await put('range/empty', '');
      await failsWith(
        store.get('range/empty', { range: { offset: 0, length: 1 } }),
        'invalid',
        'range-not-satisfiable',
      );
    });

    test('a range that cannot be is invalid', async () => {
      await put('range/b', '0123456789');
      for (const [offset, length] of [
        [0, 0],
        [-1, 2],
        [0, -1],
        [0.5, 1],
        [0, Number.NaN],
        [Number.MAX_VALUE, 1],
      ] as const) {
        await failsWith(store.get('range/b', { range: { offset, length } }), 'invalid', 'range-invalid');
      }
    });

    test('an object with the ETag already known is not read again', async () => {
      const { etag } = await put('known/a', 'hello');
      const same = await store.get('known/a', { ifNoneMatch: etag });
      deepStrictEqual([same.notModified, same.bytes.length, same.size, same.etag], [true, 0, 0, etag]);
      ok(same.storeTimeMs - same.lastModifiedMs < 10_000);
      await put('known/a', 'other');
      const changed = await store.get('known/a', { ifNoneMatch: etag });
      deepStrictEqual([changed.notModified, text(changed.bytes)], [false, 'other']);
    });

    describe('conditional puts', () => {
      test('only absent: succeeds once', async () => {
        await put('if/absent', 'first', 'absent');
        await failsWith(put('if/absent', 'second', 'absent'), 'conflict', 'precondition-failed');
        strictEqual(await get('if/absent'), 'first');
      });

      test('only with an ETag: succeeds on the present one', async () => {
        const first = await put('if/etag', 'first');
        const second = await put('if/etag', 'second', { etag: first.etag });
        await put('if/etag', 'third', { etag: second.etag });
        strictEqual(await get('if/etag'), 'third');
      });

      test('only with an ETag: fails on a stale one and changes nothing', async () => {
        const first = await put('if/stale', 'first');
        const second = await put('if/stale', 'second');
        await failsWith(put('if/stale', 'third', { etag: first.etag }), 'conflict', 'precondition-failed');
        await failsWith(put('if/stale', 'third', { etag: '"never"' }), 'conflict', 'precondition-failed');
        const read = await store.get('if/stale');
        deepStrictEqual([text(read.bytes), read.etag], ['second', second.etag]);
      });

      test('only with an ETag: fails on a missing object and makes none', async () => {
        const { etag } = await put('if/gone', 'first');
        await store.delete('if/gone');
        await failsWith(put('if/gone', 'second', { etag }), 'conflict', 'precondition-failed');
        await failsWith(put('if/never/there', 'second', { etag }), 'conflict', 'precondition-failed');
        await failsWith(store.get('if/gone'), 'not-found');
        deepStrictEqual((await store.list('if/never/')).objects, []);
      });

      test('a race of 16 for a missing key has one winner, whose bytes stay', async () => {
        const winners = await race((i) => put('race/absent', `racer ${i}`, 'absent'));
        strictEqual(winners.length, 1);
        strictEqual(await get('race/absent'), `racer ${winners[0]}`);
      });

      test('a race of 16 on one ETag has one winner, whose bytes stay', async () => {
        const { etag } = await put('race/etag', 'start');
        const winners = await race((i) => put('race/etag', `racer ${i}`, { etag }));
        strictEqual(winners.length, 1);
        strictEqual(await get('race/etag'), `racer ${winners[0]}`);
      });

      test('16 counters on one object lose no step', async () => {
        await put('race/count', '0');
        const step = async () => {
          for (;;) {
            const { bytes: read, etag } = await store.get('race/count');
            try {
              return await put('race/count', String(Number(text(read)) + 1), { etag });
            } catch (error) {
              if (!isKind(error, 'conflict')) throw error;
            }
          }
        };
        await Promise.all(Array.from({ length: 16 }, step));
        strictEqual(await get('race/count'), '16');
      });
    });

    describe('keys', () => {
      const odd = [
        "odd/!$%'()*+,-.=@_~",
        'odd/%2F%2e%2e',
        'odd/a+b',
        'odd/a=b',
        'odd/...',
        'odd/.hidden',
        'odd/-',
        'odd/__proto__',
        'odd/constructor',
        `odd/${'x'.repeat(240)}`,
        `odd/${'long/'.repeat(150)}end`,
      ];
      test('odd ones are kept apart and listed as they are', async () => {
        for (const key of odd) await put(key, key);
        for (const key of odd) strictEqual(await get(key), key);
        const listed = (await store.list('odd/')).objects.map(({ key }) => key);
        deepStrictEqual(listed, [...odd].sort());
        for (const key of odd) await store.delete(key);
        deepStrictEqual((await store.list('odd/')).objects, []);
      });

      for (const key of [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/./b',
        'a/..',
        'a\0b',
        'a\\b',
        'a b',
        'a^b',
        'ä',
        'a\n',
        '.tmp/a',
        'x'.repeat(256),
        'xy/'.repeat(300) + 'z',
      ]) {
        test(`${JSON.stringify(key).slice(0, 20)} is none`, async () => {
          await failsWith(put(key, 'x'), 'invalid', 'key-invalid');
          await failsWith(put(key, 'x', 'absent'), 'invalid', 'key-invalid');
          await failsWith(store.get(key), 'invalid', 'key-invalid');
          await failsWith(store.head(key), 'invalid', 'key-invalid');
          await failsWith(store.delete(key), 'invalid', 'key-invalid');
        });
      }
    });

    describe('lists', () => {
      const keys = [
        'order/a',
        'order/a-b',
        'order/a.b',
        'order/a0',
        'order/aa/x',
        'order/ab',
        'order/b/c/d',
        'order/B',
      ];
      beforeAll(async () => {
        for (const key of keys) await put(key, key);
      });

      test('are in byte order and describe objects as reads do', async () => {
        const { objects, next, storeTimeMs } = await store.list('order/');
        deepStrictEqual([objects.map(({ key }) => key), next], [[...keys].sort(), undefined]);
        ok(storeTimeMs > 0);
        for (const object of objects) {
          const { size, etag, lastModifiedMs } = await store.head(object.key);
          deepStrictEqual([object.size, object.etag], [size, etag]);
          strictEqual(Math.floor(object.lastModifiedMs / 1000), Math.floor(lastModifiedMs / 1000));
        }
      });

      test('take any beginning of a key as prefix', async () => {
        const list = async (prefix: string) => (await store.list(prefix)).objects.map(({ key }) => key);
        deepStrictEqual(await list('order/a'), keys.filter((key) => key.startsWith('order/a')).sort());
        deepStrictEqual(await list('order/b/'), ['order/b/c/d']);
        deepStrictEqual(await list('order/b/c/d'), ['order/b/c/d']);
        deepStrictEqual(await list('order/aa/'), ['order/aa/x']);
        deepStrictEqual(await list('order/zz'), []);
        deepStrictEqual(await list('nothing/here/'), []);
        deepStrictEqual(await list('order/a/b'), []);
        deepStrictEqual(
          (await list('')).filter((key) => key.startsWith('order/')),
          [...keys].sort(),
        );
        for (const prefix of ['../', 'a/../b', 'a//', 'a\0', '/']) {
          await failsWith(store.list(prefix), 'invalid', 'key-invalid');
        }
      });

      test('begin after any text', async () => {
        const sorted = [...keys].sort();
        for (const after of [
          ...keys,
          'order/',
          'order/aa',
          'order/aa/',
          'order/b/c',
          'order/zzz',
          'a',
          'z',
          'order/a/~',
        ]) {
          const { objects } = await store.list('order/', { after });
          deepStrictEqual(
            objects.map(({ key }) => key),
            sorted.filter((key) => key > after),
            `after ${after}`,
          );
        }
      });

      test('page through with a limit', async () => {
        for (const limit of [1, 3, 7, 8, 9, 5000]) {
          const pages = await allPages('order/', limit);
          deepStrictEqual(pages.flat(), [...keys].sort());
          ok(pages.every((page) => page.length <= limit));
          strictEqual(pages.length, Math.ceil(keys.length / limit));
        }
        for (const limit of [0, -1, 1.5, Number.NaN]) {
          await failsWith(store.list('order/', { limit }), 'invalid', 'list-limit');
        }
      });

      test('give 1,000 keys a page at most, in folders or not', async () => {
        const many = Array.from({ length: 1203 }, (_, i) => `many/${i % 2 ? 'flat-' : `${i % 7}/`}${i}`);
        for (let i = 0; i < many.length; i += 50) {
          await Promise.all(many.slice(i, i + 50).map((key) => put(key, 'x')));
        }
        const pages = await allPages('many/');
        deepStrictEqual(
          pages.map((page) => page.length),
          [1000, 203],
        );
        deepStrictEqual(pages.flat(), many.sort());
      });

      const allPages = async (prefix: string, limit?: number): Promise<string[][]> => {
        const pages: string[][] = [];
        let after: string | undefined;
        do {
          const page = await store.list(prefix, {
            ...(limit === undefined ? {} : { limit }),
            ...(after === undefined ? {} : { after }),
          });
          pages.push(page.objects.map(({ key }) => key));
          after = page.next;
        } while (after !== undefined);
        return pages;
      };

      test('see each put and each delete before them', async () => {
        for (let i = 0; i < 5; i++) {
          await put(`seen/${i}`, 'x');
          strictEqual((await store.list('seen/')).objects.length, i + 1);
        }
        for (let i = 4; i >= 0; i--) {
          await store.delete(`seen/${i}`);
          strictEqual((await store.list('seen/')).objects.length, i);
        }
      });
    });

    describe('uploads', () => {
      const first = pattern(1, UPLOAD_PIECE_MIN_BYTES);
      const second = pattern(2, 1000);

      test('are nowhere until they are complete, and then one object', async () => {
        const upload = await store.beginUpload('upload/a');
        await upload.add(1, [first.subarray(0, 100), first.subarray(100)]);
        await upload.add(2, [second]);
        await failsWith(store.head('upload/a'), 'not-found');
        strictEqual((await store.list('upload/a')).objects.length, 0);
        const { etag, storeTimeMs } = await upload.complete();
        const read = await store.get('upload/a');
        ok(Buffer.concat([first, second]).equals(read.bytes));
        strictEqual(read.etag, etag);
        ok(Math.abs(read.storeTimeMs - storeTimeMs) < 10_000);
        const across = { offset: first.length - 10, length: 20 };
        const { bytes: part } = await store.get('upload/a', { range: across });
        ok(Buffer.concat([first.subarray(-10), second.subarray(0, 10)]).equals(part));
      });

      test('of a few bytes are objects, too, and replace', async () => {
        await put('upload/small', 'before');
        const upload = await store.beginUpload('upload/small');
        await upload.add(1, [bytes('after')]);
        strictEqual(await get('upload/small'), 'before');
        await upload.complete();
        strictEqual(await get('upload/small'), 'after');
      });

      test('that are given up leave nothing', async () => {
        const upload = await store.beginUpload('upload/none');
        await upload.add(1, [second]);
        await upload.abort();
        await upload.abort();
        await failsWith(store.head('upload/none'), 'not-found');
      });

      test('that nobody completes are ended when they are old enough, and then they are gone or were never kept', async () => {
        const upload = await store.beginUpload('upload/old');
        await upload.add(1, [second]);
        strictEqual(await store.endUploads('upload/old', { minAgeMs: 3_600_000 }), 0);
        if ((await store.endUploads('upload/old', { minAgeMs: -1000 })) > 0) {
          await failsWith(upload.complete(), 'conflict', 'upload-gone');
          await failsWith(store.head('upload/old'), 'not-found');
        }
        await upload.abort();
      });

      test('end with the signal, and refuse what is no key', async () => {
        const signal = AbortSignal.abort();
        await failsWith(store.beginUpload('upload/signal', { signal }), 'canceled', 'canceled');
        await failsWith(store.beginUpload('a//b'), 'invalid', 'key-invalid');
        const upload = await store.beginUpload('upload/signal');
        await failsWith(upload.add(1, [second], { signal }), 'canceled', 'canceled');
        await upload.add(1, [second]);
        await failsWith(upload.complete({ signal }), 'canceled', 'canceled');
        await upload.complete();
        strictEqual((await store.head('upload/signal')).size, second.length);
      });
    });

    test('an aborted signal ends every call with the error it stands for, and a put leaves nothing', async () => {
      const signal = AbortSignal.abort();
      for (const call of [
        store.put('abort/a', [bytes('x')], { signal }),
        store.put('abort/a', [bytes('x')], { signal, only: 'absent' }),
        store.get('abort/a', { signal }),
        store.head('abort/a', { signal }),
        store.delete('abort/a', { signal }),
        store.list('abort/', { signal }),
      ]) {
        await failsWith(call, 'canceled', 'canceled');
      }
      await failsWith(store.get('abort/a'), 'not-found');
      const timeout = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
      await failsWith(store.get('abort/a', { signal: timeout }), 'deadline', 'deadline');
      const own = new VivaceError('limited', 'own', 'the caller’s own reason');
      await failsWith(store.get('abort/a', { signal: AbortSignal.abort(own) }), 'limited', 'own');
    });
  });
}

/** Which of 16 puts at once succeed; the others must be told of a conflict. */
async function race(put: (racer: number) => Promise<unknown>): Promise<number[]> {
  const outcomes = await Promise.allSettled(Array.from({ length: 16 }, (_, i) => put(i)));
  return outcomes.flatMap((outcome, i) => {
    if (outcome.status === 'fulfilled') return [i];
    ok(isKind(outcome.reason, 'conflict'), `a loser failed with ${String(outcome.reason)}`);
    return [];
  });
}

async function failsWith(call: Promise<unknown>, kind: VivaceError['kind'], code?: string): Promise<void> {
  await rejects(call, (error: unknown) => {
    ok(error instanceof VivaceError, `not an error of ours: ${String(error)}`);
    deepStrictEqual([error.kind, error.code], [kind, code ?? error.code]);
    return true;
  });
}

function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString();
}

/** Bytes that differ with the seed and with the place. */
function pattern(seed: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let x = (seed * 2654435761 + 1) | 0;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0;
    out[i] = x >>> 24;
  }
  return out;
}
