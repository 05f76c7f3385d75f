declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*.css?inline" {
  const text: string;
  export default text;
}
declare module "*.worker.ts?inline" {
  const source: string;
  export default source;
}
