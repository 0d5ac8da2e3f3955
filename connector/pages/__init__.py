"""What all pages for people share: layout, languages, forms, and protection from other sites."""
