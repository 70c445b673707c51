CREATE TABLE `kyc_uploads` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`counts` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `kyc_uploads_user` ON `kyc_uploads` (`user_id`,`created_at`,`counts`);--> statement-breakpoint
CREATE INDEX `kyc_uploads_created` ON `kyc_uploads` (`created_at`);--> statement-breakpoint
ALTER TABLE `kyc_documents` DROP COLUMN `upload_id`;