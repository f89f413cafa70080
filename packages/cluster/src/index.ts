export { Discovery, type DiscoveryOptions } from './discovery.ts';
export { Health, type HealthOptions } from './health.ts';
export { Rendezvous } from './rendezvous.ts';
export { type Resolver, systemResolver } from './resolver.ts';
export { type Member, parseSource, type Source } from './source.ts';
