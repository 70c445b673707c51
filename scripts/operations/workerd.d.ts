declare module "workerd" {
  /** The latest compatibility date that this build knows. */
  export const compatibilityDate: string;
}
