DROP INDEX `kyc_document_number`;--> statement-breakpoint
CREATE INDEX `kyc_document_number` ON `kyc` (`document_number_index`,`submitted_at`);