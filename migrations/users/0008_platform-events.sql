ALTER TABLE `rentals` ADD `returned_event_id` text;--> statement-breakpoint
CREATE INDEX `analytics_reports_expiry` ON `analytics_reports` (`expires_at`);