CREATE TABLE `job_failures` (
	`name` text PRIMARY KEY NOT NULL,
	`failing_since` integer NOT NULL,
	`failed_at` integer NOT NULL,
	`failures` integer NOT NULL,
	`reason` text NOT NULL
);
--> statement-breakpoint
DROP INDEX `outbox_unsent`;--> statement-breakpoint
ALTER TABLE `outbox` ADD `urgency` integer GENERATED ALWAYS AS (case when queue = 'otp' then 0
        when type in ('user.deleted', 'account.deleted', 'social.revocation_due') then 1
        when type in ('auth.refresh_reuse', 'auth.lockout', 'auth.new_device', 'user.identifier_changed') then 1
        when type in ('profile.reminder_due', 'kyc.reminder_due') then 3 else 2 end) VIRTUAL;--> statement-breakpoint
CREATE INDEX `outbox_unsent` ON `outbox` (`urgency`,`leased_until`) WHERE sent_at is null and queue is not null and payload is not null;--> statement-breakpoint
ALTER TABLE `user_counts` ADD `recount` text;--> statement-breakpoint
ALTER TABLE `user_counts` ADD `recounted_to` text;
--> statement-breakpoint
DROP TRIGGER users_counted_insert;
--> statement-breakpoint
DROP TRIGGER users_counted_delete;
--> statement-breakpoint
DROP TRIGGER users_counted_update;
--> statement-breakpoint
CREATE TRIGGER users_counted_insert AFTER INSERT ON users BEGIN
  UPDATE user_counts SET by_facet = json_set(by_facet, '$[' || new.facet || ']', (by_facet ->> new.facet) + 1),
    recount = CASE WHEN recounted_to >= new.id
      THEN json_set(recount, '$[' || new.facet || ']', (recount ->> new.facet) + 1) ELSE recount END;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_delete AFTER DELETE ON users BEGIN
  UPDATE user_counts SET by_facet = json_set(by_facet, '$[' || old.facet || ']', (by_facet ->> old.facet) - 1),
    recount = CASE WHEN recounted_to >= old.id
      THEN json_set(recount, '$[' || old.facet || ']', (recount ->> old.facet) - 1) ELSE recount END;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_update AFTER UPDATE OF status, kyc_status, email_verified, phone_verified ON users
WHEN old.facet <> new.facet BEGIN
  UPDATE user_counts SET by_facet = json_set(by_facet, '$[' || old.facet || ']', (by_facet ->> old.facet) - 1,
      '$[' || new.facet || ']', (by_facet ->> new.facet) + 1),
    recount = CASE WHEN recounted_to >= new.id
      THEN json_set(recount, '$[' || old.facet || ']', (recount ->> old.facet) - 1,
        '$[' || new.facet || ']', (recount ->> new.facet) + 1) ELSE recount END;
END;
