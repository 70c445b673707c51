declare module "workerd" {
  /** The latest compatibility date that this build supports. */
  export const compatibilityDate: string;
}
