export type {
  AnswerAttribute,
  AnswerValue,
  Exemplar,
  Label,
  QueryStats,
  Series,
  SpanAnswer,
  SpansetAnswer,
  TraceMatch,
} from './answer.ts';
