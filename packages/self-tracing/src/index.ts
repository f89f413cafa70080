export { createPost } from './post-spans.ts';
export { tracedEngine, tracedFinder, tracedSink } from './traced.ts';
export { Tracer } from './tracer.ts';
