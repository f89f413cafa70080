import { describeObjectStore } from './conformance.ts';
import { createS3Store } from './s3-store.ts';
import { startS3Target } from './testing/s3-target.ts';

describeObjectStore('the S3 store', async () => {
  const { close, name: _, ...target } = await startS3Target();
  const store = await createS3Store(target);
  return {
    store,
    close: async () => {
      await store.close();
      await close();
    },
  };
});
