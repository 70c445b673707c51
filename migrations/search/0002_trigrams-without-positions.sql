DROP TABLE user_search;--> statement-breakpoint
CREATE VIRTUAL TABLE user_search USING fts5(text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram');--> statement-breakpoint
INSERT INTO user_search (rowid, text) SELECT place, text FROM search_entries WHERE removed_at IS NULL ORDER BY place;
