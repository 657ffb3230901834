//! From document points to screen points and back.

use egui::{Pos2, Rect, Vec2};

/// Smallest and largest magnification.
pub(super) const ZOOM_MIN: f32 = 0.05;
pub(super) const ZOOM_MAX: f32 = 3.0;

/// What part of the document the canvas shows. View state: never saved with the document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Where the document's origin lies, from the canvas' upper left corner, in screen points.
    pub offset: Vec2,
    pub zoom: f32,
}

impl Default for Camera {
    fn default() -> Camera {
        Camera {
            offset: Vec2::splat(40.0),
            zoom: 1.0,
        }
    }
}

impl Camera {
    pub fn to_screen(self, canvas: Rect, place: Pos2) -> Pos2 {
        canvas.min + self.offset + place.to_vec2() * self.zoom
    }

    pub fn to_document(self, canvas: Rect, screen: Pos2) -> Pos2 {
        ((screen - canvas.min - self.offset) / self.zoom).to_pos2()
    }

    pub fn rect_to_screen(self, canvas: Rect, rect: Rect) -> Rect {
        Rect::from_min_max(
            self.to_screen(canvas, rect.min),
            self.to_screen(canvas, rect.max),
        )
    }

    /// The part of the document that the canvas shows.
    pub fn visible(self, canvas: Rect) -> Rect {
        Rect::from_min_max(
            self.to_document(canvas, canvas.min),
            self.to_document(canvas, canvas.max),
        )
    }

    /// Magnifies by a factor; what is at `screen` stays there.
    pub fn zoom_at(&mut self, canvas: Rect, screen: Pos2, factor: f32) {
        let fixed = self.to_document(canvas, screen);
        self.zoom = (self.zoom * factor).clamp(ZOOM_MIN, ZOOM_MAX);
        self.offset = screen - canvas.min - fixed.to_vec2() * self.zoom;
    }

    /// Shows all of `content` with some air, never larger than life.
    pub fn fit(&mut self, canvas: Rect, content: Rect) {
        if !content.is_positive() || !canvas.is_positive() {
            return;
        }
        let air = Vec2::splat(48.0).min(canvas.size() * 0.1);
        let room = canvas.size() - air * 2.0;
        self.zoom = (room.x / content.width())
            .min(room.y / content.height())
            .clamp(ZOOM_MIN, 1.0);
        self.offset = canvas.size() / 2.0 - content.center().to_vec2() * self.zoom;
    }

    /// Moves just as far as needed to show `content`.
    pub fn reveal(&mut self, canvas: Rect, content: Rect) {
        let shown = self.rect_to_screen(canvas, content);
        let room = canvas.shrink(canvas.width().min(canvas.height()).min(240.0) * 0.1);
        let shift = |min: f32, max: f32, room_min: f32, room_max: f32| {
            if max - min > room_max - room_min {
                (room_min + room_max - min - max) / 2.0
            } else {
                (room_min - min).max(0.0) - (max - room_max).max(0.0)
            }
        };
        self.offset += Vec2::new(
            shift(shown.min.x, shown.max.x, room.min.x, room.max.x),
            shift(shown.min.y, shown.max.y, room.min.y, room.max.y),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANVAS: Rect = Rect {
        min: Pos2::new(100.0, 50.0),
        max: Pos2::new(900.0, 650.0),
    };

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let mut camera = Camera::default();
        let pointer = Pos2::new(333.0, 222.0);
        let before = camera.to_document(CANVAS, pointer);
        for factor in [1.3, 0.2, 9.0, 100.0] {
            camera.zoom_at(CANVAS, pointer, factor);
            assert!(camera.to_document(CANVAS, pointer).distance(before) < 0.1);
        }
        assert!(camera.zoom <= ZOOM_MAX);
    }

    #[test]
    fn fit_shows_everything_and_reveal_only_moves_when_needed() {
        let mut camera = Camera::default();
        let content = Rect::from_min_max(Pos2::new(-500.0, 0.0), Pos2::new(4000.0, 900.0));
        camera.fit(CANVAS, content);
        assert!(camera.visible(CANVAS).contains_rect(content));
        let settled = camera;
        let inside = Rect::from_center_size(content.center(), Vec2::splat(10.0));
        camera.reveal(CANVAS, inside);
        assert_eq!(camera, settled);
        let outside = Rect::from_min_size(Pos2::new(9000.0, -4000.0), Vec2::splat(10.0));
        camera.reveal(CANVAS, outside);
        assert!(camera.visible(CANVAS).contains_rect(outside));
    }
}
