CREATE TABLE `user_counts` (
	`id` integer PRIMARY KEY NOT NULL,
	`by_facet` text NOT NULL
);
--> statement-breakpoint
ALTER TABLE `users` ADD `kyc_status` text DEFAULT 'NOT_SUBMITTED' NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `facet` integer GENERATED ALWAYS AS (case status when 'ACTIVE' then 0 when 'INACTIVE' then 16 else 32 end
        + case kyc_status when 'NOT_SUBMITTED' then 0 when 'PENDING' then 4 when 'APPROVED' then 8 else 12 end
        + email_verified * 2 + phone_verified) VIRTUAL;--> statement-breakpoint
ALTER TABLE `users` ADD `last_login_order` integer GENERATED ALWAYS AS (case when last_login is null then 0 else last_login end) VIRTUAL;--> statement-breakpoint
CREATE INDEX `users_facet_joined` ON `users` (`facet`,`date_joined`,`id`);--> statement-breakpoint
CREATE INDEX `users_facet_login` ON `users` (`facet`,`last_login_order`,`id`);--> statement-breakpoint
CREATE INDEX `users_facet_username` ON `users` (`facet`,`username_key`);