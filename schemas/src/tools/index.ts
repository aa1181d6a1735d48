export * from './markdown.ts';
export * from './names.ts';
