ALTER TABLE `kyc` ADD `reminded_version` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `kyc_rejected` ON `kyc` (`updated_at`) WHERE status = 'REJECTED';--> statement-breakpoint
ALTER TABLE `kyc_documents` ADD `upload_id` text DEFAULT '' NOT NULL;