DROP INDEX `kyc_rejected`;--> statement-breakpoint
CREATE INDEX `kyc_rejected` ON `kyc` (`updated_at`,`user_id`) WHERE status = 'REJECTED';--> statement-breakpoint
CREATE INDEX `notifications_created` ON `notifications` (`created_at`);