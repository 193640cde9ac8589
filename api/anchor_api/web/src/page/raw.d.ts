/** Files that are taken as text, and style sheets. */
declare module "*?raw" {
  const text: string;
  export default text;
}
declare module "*.css";
